"""`belvedere grafana VERB`: the organisation tool of the cost monitor, with its options, over the same services.

What is not here: `belvedere workspace`, which does more, and what is done (`workspaces/`).
"""

from typing import Final

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import runner_works
from belvedere.kernel.actor import Role
from belvedere.kernel.errors import Conflict, Later
from belvedere.workspaces.tiers import Tier

_ROLES: Final = {"admin": Role.ADMIN, "editor": Role.EDITOR, "viewer": Role.VIEWER}
"""Grafana's roles as a member's."""

_WAIT = click.option("--wait", "wait_s", type=click.FloatRange(0, 3600), default=60.0, show_default=True,
                     metavar="SECONDS", help="How long to wait for the end; 0 returns at once.")
_ORGANISATION = click.option("--org-id", type=click.IntRange(1), required=True,
                             help="The organisation's number: belvedere grafana list-orgs.")


@click.group()
def grafana() -> None:
    """Organisations of the tenants in Grafana, as the cost monitor's tool had them."""


@grafana.command("create-org", epilog="Example: belvedere grafana create-org --tenant-id 7 --tenant-name alice")
@click.option("--tenant-id", type=click.IntRange(1), required=True, help="The tenant's number.")
@click.option("--tenant-name", required=True, help="Its name, to be sure.")
@_WAIT
def create_org(tenant_id: int, tenant_name: str, wait_s: float) -> None:
    """Make a tenant's organisation, or repair it, and print its number. The tenant is there already."""
    with services() as built:
        tenant = built.organisations.tenant(actor(), tenant_id, tenant_name)
        before = built.drift.state(actor(), tenant.serial).ended_at
        built.workspaces.apply(actor(), tenant.serial)
        if wait_s and not runner_works(built):
            output.note("No runner works on the queue: start one with `belvedere jobs`. Not waiting.")
            wait_s = 0
        state = built.drift.wait(actor(), tenant.serial, since=before, most_s=wait_s)
    if state.problem:
        raise Later(state.problem, hint=state.hint or None)
    value = {"tenant": tenant.serial, "organisation": state.organisation or None, "name": state.organisation_name}
    made = f"Organisation {state.organisation}: {state.organisation_name}"
    output.show(value, made if state.organisation else f"{tenant.name}: {state.word}.")


@grafana.command("sync-all", epilog="Example: belvedere grafana sync-all")
def sync_all() -> None:
    """Look at every tenant's organisation and repair what differs, as a job each."""
    with services() as built:
        serials = [one.serial for one in built.drift.tenants(actor())]
        for serial in serials:
            built.workspaces.apply(actor(), serial)
    output.show({"tenants": len(serials)}, f"{len(serials)} tenants are being looked at: belvedere workspace list")


@grafana.command("add-user",
                 epilog="Example: belvedere grafana add-user --org-id 2 --email bob@example.org --role Editor")
@_ORGANISATION
@click.option("--email", required=True, help="Whose address.")
@click.option("--role", type=click.Choice(["Admin", "Editor", "Viewer"], case_sensitive=False), default="Viewer",
              show_default=True, help="What they may do there.")
def add_user(org_id: int, email: str, role: str) -> None:
    """Make somebody a member of the tenant whose organisation it is; their user in Grafana follows."""
    chosen = _ROLES[role.lower()]
    with services() as built:
        tenant = built.drift.tenant_of(actor(), org_id)
        password = None
        try:
            made = built.members.add(actor(), tenant.serial, email, role=chosen)
            password = made.password.reveal() if made.password else None
            member = made.member
        except Conflict:
            member = built.members.set_role(actor(), tenant.serial, email, chosen)
    value = {"tenant": tenant.serial, "email": member.email, "role": member.role, "password": password}
    said = f"{member.email} is {member.role} of {tenant.name}."
    output.show(value, f"{said}\n{password}" if password else said)


@grafana.command("list-orgs", epilog="Example: belvedere grafana list-orgs --json")
def list_orgs() -> None:
    """List the organisations of the Grafana, each with the tenant whose it is."""
    with services() as built:
        found = built.organisations.list(actor())
        names = {one.serial: one.name for one in built.drift.tenants(actor())}
    output.show_list(
        found,
        {"ID": lambda one: one.id, "NAME": lambda one: one.name,
         "TENANT": lambda one: names.get(one.tenant, one.tenant) if one.tenant else "-"},
        empty="No organisations.",
    )


@grafana.command("delete-org", epilog="Example: belvedere grafana delete-org --org-id 2")
@_ORGANISATION
def delete_org(org_id: int) -> None:
    """Take away a tenant's organisation: it looks in the built-in viewer from then on, and loses no data."""
    with services() as built:
        tenant = built.drift.tenant_of(actor(), org_id)
        built.moves.begin(actor(), tenant.serial, Tier.VIEWER)
    said = f"{tenant.name} moves to the built-in viewer; organisation {org_id} goes when that is complete."
    output.show({"tenant": tenant.serial, "organisation": org_id}, said)
