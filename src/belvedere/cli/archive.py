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
@click.option("--tenant", "tenants", multiple=True, metavar="NAME",
              help="Only its databases and its folder; may be repeated.")
@click.option("--no-databases", is_flag=True, help="Leave tenants' databases out.")
@click.option("--without-files", is_flag=True, help="Leave tenants' folders out, for those who back them up otherwise.")
def backup(
    file: Path, keys: Path | None, tenants: tuple[str, ...], *, no_databases: bool, without_files: bool
) -> None:
    """Write the running installation into FILE.

    That is the control database, tenants' databases and folders, measured values on PostgreSQL, history, reports,
    pictures, and the keys of the SFTP server, sealed. Sealing keys are not in it: without them nobody can open a
    credential, and nobody can restore. Buckets of an InfluxDB and a Grafana's own database are not in it either.
    """
    from belvedere.node.backup import Choice, not_in_it
    from belvedere.node.backup import backup as write
    from belvedere.node.progress import amount

    with services() as built:
        choice = Choice(
            file.absolute(), keys.absolute() if keys else None, tenants or None, databases=not no_databases,
            files=not without_files,
        )
        contents = write(built, actor(), choice, output.note)
        elsewhere = not_in_it(built.settings)
    size = file.stat().st_size
    files = sum(one.files for one in contents.folders.values())
    unread = {f"{name}/{place}": why for name, one in contents.folders.items() for place, why in one.unread.items()}
    lines = [
        f"{file}: {amount(size)}, {len(contents.databases)} tenants' databases, {files:,} files"
        + ("" if keys else "; the keys are not in it (--with-keys KEYFILE)"),
        *(["Tenants' folders are not in it (--without-files)."] if without_files else []), *elsewhere,
    ]
    output.show(
        {"file": str(file), "bytes": size, "databases": len(contents.databases), "missing": contents.missing,
         "files": files, "folders": contents.folders, "unread": unread, "not_in_it": elsewhere,
         "keys": str(keys) if keys else None},
        "\n".join(lines),
    )
    if contents.missing or unread:
        first = next(iter([*contents.missing, *unread]))
        message = f"{len(contents.missing)} databases and {len(unread)} files could not be read, such as {first}."
        raise Stuck(message, hint="see the reasons above; the rest is in the backup", code="backup-partial")


@click.command(epilog="Example: BELVEDERE_HOME=/srv/new belvedere restore belvedere.backup --keys /safe/belvedere.keys")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), metavar="KEYFILE", help="The keys that `backup` wrote apart.")
@click.option("--without-files", is_flag=True, help="Leave tenants' folders as they are on this machine.")
def restore(file: Path, keys: Path | None, *, without_files: bool) -> None:
    """Make an installation from FILE in a home that holds none. Start it afterwards with `belvedere up`."""
    from belvedere.node.restore import Source
    from belvedere.node.restore import restore as read

    settings = load()
    origin = Source(file.absolute(), keys.absolute() if keys else None, files=not without_files)
    found = read(settings, origin, actor(), output.note)
    output.show(
        {"home": str(settings.home_path), "made_at": found.made_at, "databases": found.databases, "files": found.files,
         "unread": found.unread},
        f"{settings.home_path} holds the installation of {found.made_at}, {found.databases} tenants' databases and "
        f"{found.files:,} files; start it: belvedere up",
    )
