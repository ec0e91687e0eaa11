"""`belvedere sftp plan` and `apply`: an SFTPGo's users against a tenant's SFTP users."""

from typing import TYPE_CHECKING

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import SOMETHING_TO_DO, serial_of
from belvedere.kernel.plan import Plan, render

if TYPE_CHECKING:
    from belvedere.intake.sftpgo.model import Deed

_TENANT = click.argument("tenant", required=False)


@click.command(epilog="Example: belvedere sftp plan --detailed-exitcode || echo drift")
@_TENANT
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
def plan(tenant: str | None, *, detailed_exitcode: bool) -> None:
    """Compare SFTPGo's users with ours, of one tenant or of all, and print the steps that would make them so."""
    with services() as built:
        found = built.sftpgo.plan(actor(), serial_of(built, tenant) if tenant else None)
    _show(found)
    if detailed_exitcode and found:
        raise click.exceptions.Exit(SOMETHING_TO_DO)


@click.command(epilog="Example: belvedere sftp apply acme")
@_TENANT
def apply(tenant: str | None) -> None:
    """Make SFTPGo's users as ours are, now, and print what was done. Again does nothing."""
    with services() as built:
        found = built.sftpgo.apply(actor(), serial_of(built, tenant) if tenant else None)
    _show(found)


def _show(found: "Plan[Deed]") -> None:
    from belvedere.api.tenants import view_plan

    output.show(view_plan(found), lambda: click.echo(render(found)))
