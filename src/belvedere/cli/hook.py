"""`belvedere hook VERB`: how an SFTPGo is told to tell of files, by HTTP or by a command."""

from pathlib import Path

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services


@click.group()
def hook() -> None:
    """Hooks of SFTPGo: what to set there, the secret, the command."""


@hook.command(epilog="Example: belvedere hook show")
def show() -> None:
    """Show what to set in SFTPGo, by both ways; the secret stands in neither."""
    from belvedere.intake.hooks.service import HEADER, PATH

    with services() as built:
        settings = built.settings
        address = f"{settings.url}{PATH}"
        folder = settings.path(settings.hook_dir)
    command = {"common.actions.hook": "the file that `belvedere hook install FILE` writes", "folder": str(folder)}
    http = {"common.actions.hook": address, "common.post_disconnect_hook": address, "header": HEADER,
            "its value": "belvedere hook secret --reason ..."}  # fmt: skip
    actions = ["upload", "mkdir", "rename", "delete", "rmdir", "copy"]
    environment = {
        "SFTPGO_COMMON__ACTIONS__EXECUTE_ON": ",".join(actions), "SFTPGO_COMMON__ACTIONS__HOOK": address,
        "SFTPGO_COMMON__POST_DISCONNECT_HOOK": address, "SFTPGO_HTTP__HEADERS__0__KEY": HEADER,
        "SFTPGO_HTTP__HEADERS__0__VALUE": "<what belvedere hook secret prints>",
        # Without it SFTPGo sends the secret to every address that it calls.
        "SFTPGO_HTTP__HEADERS__0__URL": address,
    }

    def print_them() -> None:
        click.echo("by HTTP, in SFTPGo's environment; the value: belvedere hook secret --reason ...")
        for name, value in environment.items():
            click.echo(f"  {name}={value}")
        click.echo("\nby a command")
        output.facts({"execute_on": ",".join(actions), **command})

    output.show({"execute_on": actions, "http": http, "environment": environment, "command": command}, print_them)


@hook.command(epilog="Example: belvedere hook secret --reason 'set up SFTPGo'")
@click.option("--reason", prompt="Why (at least 8 characters; it goes to the history)", help="Why it is shown.")
def secret(reason: str) -> None:
    """Print the value of the header by which SFTPGo proves itself. The reason stands in the history before it."""
    from belvedere.intake.hooks.service import HEADER

    with services() as built:
        found = built.hooks().reveal(actor(), reason).reveal()
    output.show({"header": HEADER, "value": found}, found)


@hook.command(epilog="Example: belvedere hook install /opt/sftpgo/hooks/on-upload.sh")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def install(file: Path) -> None:
    """Write the command hook's program to FILE; a script that stands there is put aside, not lost."""
    from belvedere.intake.hooks.install import install as write

    target = file.absolute()
    with services() as built:
        folder = built.settings.path(built.settings.hook_dir)
        with built.history.action(actor(), "hook.install", str(target), folder=str(folder)):
            aside = write(target, folder)
    text = f"{target} hands events over to {folder}."
    if aside is not None:
        text += f"\nWhat stood there is {aside} now."
    output.show({"file": str(target), "folder": str(folder), "aside": str(aside) if aside else None}, text)
