"""`belvedere sftp plan`, `apply` and `adopt`: an SFTPGo's users against a tenant's SFTP users."""

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


@click.command(epilog="Example: belvedere sftp adopt acme --dry-run")
@_TENANT
@click.option("--user", default="", metavar="NAME", help="This user of SFTPGo's alone.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
def adopt(tenant: str | None, *, user: str, dry_run: bool, detailed_exitcode: bool) -> None:
    """Take over users that SFTPGo has in tenants' folders already, as they are; of one tenant or of all."""
    from belvedere.intake.sftpgo.model import Outcome

    with services() as built:
        adoption, serial = built.sftpgo_adoption, serial_of(built, tenant) if tenant else None
        found = (adoption.look if dry_run else adoption.take)(actor(), serial, user)
    output.show_list(
        found,
        {
            "": lambda one: _SIGNS[str(one.outcome)], "USER": lambda one: one.name, "HOME": lambda one: one.home,
            "TENANT": lambda one: one.tenant_name, "MAY": lambda one: " ".join(one.permissions),
            "KEYS": lambda one: len(one.keys), "PASSWORD": lambda one: "stays" if one.has_password else "none",
            "WHY": lambda one: " ".join(word for word in (one.why, one.hint) if word) or "-",
        },
        empty="SFTPGo has no user in a tenant's folder that Belvedere does not keep already.",
    )  # fmt: skip
    if detailed_exitcode and any(not one.taken and one.outcome is not Outcome.REFUSED for one in found):
        raise click.exceptions.Exit(SOMETHING_TO_DO)


_SIGNS = {"adopt": "~", "finish": "~", "refused": "!"}


def _show(found: "Plan[Deed]") -> None:
    from belvedere.api.tenants import view_plan

    output.show(view_plan(found), lambda: click.echo(render(found)))
