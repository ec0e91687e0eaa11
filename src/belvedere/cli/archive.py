"""`belvedere backup` and `belvedere restore`. What is not here: how it is done (`node/`)."""

from pathlib import Path

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.kernel.errors import Stuck
from belvedere.kernel.settings import load


@click.command(epilog="Example: belvedere backup /backups/belvedere.backup --with-keys /safe/belvedere.keys")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--with-keys", "keys", type=click.Path(path_type=Path), metavar="KEYFILE",
              help="Write the sealing keys into a second file; keep it elsewhere.")
@click.option("--tenant", "tenants", multiple=True, metavar="NAME", help="Only its databases; may be repeated.")
@click.option("--no-databases", is_flag=True, help="Leave all tenants' databases out.")
def backup(file: Path, keys: Path | None, tenants: tuple[str, ...], *, no_databases: bool) -> None:
    """Write the running installation into FILE: control database, tenants' databases, history, pictures.

    Keys are not in it: without them nobody can open a credential, and nobody can restore.
    """
    from belvedere.node.backup import Choice
    from belvedere.node.backup import backup as write

    if tenants and no_databases:
        message = "--tenant and --no-databases exclude each other"
        raise click.UsageError(message)
    chosen = None if not tenants and not no_databases else tenants
    with services() as built:
        choice = Choice(file.absolute(), keys.absolute() if keys else None, chosen)
        manifest = write(built, actor(), choice, output.note)
    size = file.stat().st_size
    output.show(
        {"file": str(file), "bytes": size, "databases": len(manifest.databases), "missing": manifest.missing,
         "keys": str(keys) if keys else None},
        f"{file}: {size / 1e6:.1f} MB, {len(manifest.databases)} tenants' databases"
        + ("" if keys else "; the keys are not in it (--with-keys KEYFILE)"),
    )
    if manifest.missing:
        message = f"{len(manifest.missing)} databases could not be dumped, such as {next(iter(manifest.missing))}."
        raise Stuck(message, hint="see the reasons above; the rest is in the backup", code="backup-partial")


@click.command(epilog="Example: BELVEDERE_HOME=/srv/new belvedere restore belvedere.backup --keys /safe/belvedere.keys")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), metavar="KEYFILE", help="The keys that `backup` wrote apart.")
def restore(file: Path, keys: Path | None) -> None:
    """Make an installation from FILE in a home that holds none. Start it afterwards with `belvedere up`."""
    from belvedere.node.restore import Source
    from belvedere.node.restore import restore as read

    settings = load()
    manifest = read(settings, Source(file.absolute(), keys.absolute() if keys else None), actor(), output.note)
    output.show(
        {"home": str(settings.home_path), "made_at": manifest.made_at, "databases": len(manifest.databases)},
        f"{settings.home_path} holds the installation of {manifest.made_at}; start it: belvedere up",
    )
