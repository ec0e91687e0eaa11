"""`belvedere NOUN VERB`: the one grammar, its table of nouns, and how an invocation ends.

A noun is imported when it is used, so that help and completion are instant. What is not here: what any
command does (the noun's own file), and how answers are printed (`output.py`).
"""

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Final

import click
from click.shell_completion import CompletionItem

from belvedere import __version__
from belvedere.cli import output
from belvedere.kernel.errors import BelvedereError

EXIT_INTERRUPTED: Final = 130
EXIT_USAGE: Final = 2
COMPLETION: Final = "_BELVEDERE_COMPLETE"
"""The variable by which a shell's completion script asks; `completion.py` writes the script."""


@dataclass(frozen=True, slots=True)
class Noun:
    """A word after `belvedere`: where its command stands, and what the list of commands says of it."""

    target: str
    help: str


NOUNS: Final[dict[str, Noun]] = {
    "up": Noun("belvedere.cli.installation:up", "Start the whole installation and stay in the foreground."),
    "down": Noun("belvedere.cli.installation:down", "Stop the installation of this home."),
    "status": Noun("belvedere.cli.installation:status", "Show the address, the version and the parts."),
    "init-db": Noun("belvedere.cli.installation:init_db", "Make the control database and bring it up to date."),
    "web": Noun("belvedere.cli.installation:web", "Serve pages and the API alone."),
    "jobs": Noun("belvedere.cli.job:jobs", "Work off the queue alone; or list what waits."),
    "gateway": Noun("belvedere.cli.gateway:gateway", "Serve the query gateway of a shared Grafana alone."),
    "intake": Noun("belvedere.cli.intake:intake", "Watch tenants' folders alone; or check what a file would give."),
    "sftp": Noun("belvedere.cli.sftp:sftp", "Serve SFTP alone; manage who sends files, and see who does."),
    "settings": Noun("belvedere.cli.installation:settings", "Show each setting with where its value came from."),
    "doctor": Noun("belvedere.cli.installation:doctor", "Check what this machine and this home lack."),
    "backup": Noun("belvedere.cli.archive:backup", "Write the installation into one file."),
    "restore": Noun("belvedere.cli.archive:restore", "Make an installation from such a file."),
    "reset": Noun("belvedere.cli.installation:reset", "Delete the home, after asking."),
    "tenant": Noun("belvedere.cli.tenant:tenant", "Create, list, plan and delete tenants."),
    "member": Noun("belvedere.cli.member:member", "Manage the people of a tenant."),
    "credential": Noun("belvedere.cli.credential:credential", "Keep a tenant's credentials."),
    "workspace": Noun("belvedere.cli.workspace:workspace", "See and repair what differs where tenants look."),
    "grafana": Noun("belvedere.cli.grafana:grafana", "The organisation tool of the cost monitor."),
    "hook": Noun("belvedere.cli.hook:hook", "Have an SFTPGo tell of files that came."),
    "store": Noun("belvedere.cli.store:store", "Show stores, their tables and how to connect."),
    "dashboard": Noun("belvedere.cli.dashboard:dashboard", "List dashboards and tell why they look as they do."),
    "campaign": Noun("belvedere.cli.campaign:campaign", "List, rename and delete campaigns."),
    "upload": Noun("belvedere.cli.upload:upload", "List files that came in with their reports; send some."),
    "fleet": Noun("belvedere.cli.fleet:fleet", "See and repair the operators' dashboard of all uploads."),
    "template": Noun("belvedere.cli.template:template", "Bring dashboards of Grafana as templates."),
    "delivery": Noun("belvedere.cli.delivery:delivery", "List messages and send them again."),
    "preview": Noun("belvedere.cli.preview:preview", "List the pictures of a dashboard and take one now."),
    "job": Noun("belvedere.cli.job:job", "Look at the queue and try a job now."),
    "token": Noun("belvedere.cli.people:token", "Make, list and revoke API tokens."),
    "operator": Noun("belvedere.cli.people:operator", "Manage the accounts of operators."),
    "history": Noun("belvedere.cli.history:history", "Read the history and prove that it is whole."),
    "sample": Noun("belvedere.cli.sample:sample", "Load the sample tenant."),
    "completion": Noun("belvedere.cli.completion:completion", "Print the completion script of a shell."),
}
"""One line a noun. A noun whose file is not there (a base installation) is left out of the list."""


class Nouns(click.Group):
    """The top of the grammar: knows every noun by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Return the nouns in the order of the table."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a noun and give its commands the options that all commands share."""
        noun = NOUNS.get(cmd_name)
        if noun is None:
            return None
        module, _, attribute = noun.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        _equip(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take `tenants` as `tenant list`: the plural of a noun lists what it names."""
        singular = args[0].removesuffix("ies") + "y" if args[0].endswith("ies") else args[0].removesuffix("s")
        if args[0] not in NOUNS and singular in NOUNS:
            args = [singular, "list", *args[1:]]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Complete a noun from the table, without importing any."""
        return [CompletionItem(name, help=noun.help) for name, noun in NOUNS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of nouns without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, noun.help) for name, noun in NOUNS.items()])


def _equip(command: click.Command) -> None:
    """Add `--json`, `--jsonl` and `--color` to every leaf below `command`, once."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _equip(below)
        if not command.invoke_without_command:
            return
    have = {name for parameter in command.params for name in parameter.opts}
    command.params.extend(option for option in output.options() if not have & set(option.opts))


@click.group(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="belvedere")
def belvedere() -> None:
    """Run dashboards for many others: data arrives, its owner has a dashboard."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end the process with the exit code that scripts can rely on.

    0 done, 1 a human must act, 2 the caller must change something, 3 there is something to do
    (`--detailed-exitcode`), 75 try again later, 130 interrupted.
    """
    if COMPLETION in os.environ:
        belvedere.main(prog_name="belvedere", complete_var=COMPLETION)
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        with belvedere.make_context("belvedere", list(sys.argv[1:] if arguments is None else arguments)) as context:
            return _run_in(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _usage(error)


def _run_in(context: click.Context) -> int:  # noqa: PLR0911  (one line a way to end)
    try:
        belvedere.invoke(context)
    except BelvedereError as error:
        output.print_error(error)
        return error.exit_code
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _usage(error)
    except (KeyboardInterrupt, click.Abort):
        output.note("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our pipe went away; nothing more can be said, not even by the interpreter at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  (a person at a terminal gets a sentence, whatever broke)
        return _broken(error)
    return 0


def _broken(error: Exception) -> int:
    """Tell what no command expected: a missing package, or a fault of ours, whose trace goes to the log."""
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("belvedere"):
        output.note(output.error_text(
            f"this command needs the package {error.name}", "Only the light base of Belvedere is installed here.",
            "pip install 'belvedere[portal]'"))
        return 1
    if os.environ.get("DEBUG"):
        raise error
    from belvedere.kernel.logging import logger

    logger(__name__).error("a command broke", exc_info=error)
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    output.note(output.error_text(
        "Belvedere itself failed", what, "the same with DEBUG=1 for the trace, and report it as CONTRIBUTING.md says"))
    return 1


def _usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        output.note(error.format_message())
        return EXIT_USAGE
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "belvedere"
    output.note(output.error_text(error.format_message().rstrip("."), None, f"{path} --help"))
    return EXIT_USAGE


if __name__ == "__main__":
    main()
