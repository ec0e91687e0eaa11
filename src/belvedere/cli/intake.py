"""`belvedere intake`: watch tenants' folders, and check what a file would give.

What is not here: what is done with files (`intake/`), and people's verbs about uploads.
"""

import click

from belvedere.cli.check import check
from belvedere.cli.installation import intake as serve


@click.group(invoke_without_command=True)
@click.pass_context
def intake(context: click.Context) -> None:
    """Watch tenants' folders, alone."""
    if context.invoked_subcommand is None:
        context.invoke(serve)


intake.add_command(serve, "run")
intake.add_command(check)
