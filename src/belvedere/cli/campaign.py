"""`belvedere campaign VERB`: the folders of measurement files that tenants have."""

from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import serial_of


@click.group()
def campaign() -> None:
    """Campaigns: named series of uploads."""


@campaign.command("list", epilog="Example: belvedere campaigns --tenant acme")
@click.option("--tenant", default="", help="Of one tenant: name, slug or number.")
@click.option("--state", type=click.Choice(["active", "deleted", "all"]), default="active", show_default=True,
              help="Those that are there, those that were deleted, or both.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Most to print.")
def listed(tenant: str, state: str, limit: int) -> None:
    """List campaigns, the newest first."""
    from belvedere.api.campaigns import view

    with services() as built:
        serial = serial_of(built, tenant) if tenant else None
        page = built.campaigns.list(actor(), tenant=serial, state="" if state == "all" else state, limit=limit)
        names = {one: built.tenants.get(actor(), one).name for one in {one.tenant_id for one in page.items}}
    output.show_list(
        page.items,
        {
            "CAMPAIGN": lambda one: one.name, "TENANT": lambda one: names[one.tenant_id],
            "STATE": lambda one: str(one.state), "FILES": lambda one: one.uploads, "REFUSED": lambda one: one.refused,
            "TO READ": lambda one: one.open, "POINTS": lambda one: one.points, "LAST FILE": lambda one: one.last_at,
            "ID": lambda one: one.id, "WHAT IS WRONG": lambda one: one.error,
        },
        empty="No campaign yet. A folder in a tenant's folder becomes one: sftp> mkdir camp_base",
        value=lambda one: view(one, names[one.tenant_id]),
    )


@campaign.command(epilog="Example: belvedere campaign rename 01a20150-... winter_2026")
@click.argument("campaign_id", metavar="ID", type=click.UUID)
@click.argument("name")
def rename(campaign_id: UUID, name: str) -> None:
    """Call a campaign otherwise: folder, values and dashboard follow."""
    from belvedere.api.campaigns import view

    with services() as built:
        found = built.campaigns.rename(actor(), campaign_id, name)
        tenant = built.tenants.get(actor(), found.tenant_id).name
    output.show(view(found, tenant), f"It is called {found.name} now.")


@campaign.command(epilog="Example: belvedere campaign delete 01a20150-... --confirm camp_base")
@click.argument("campaign_id", metavar="ID", type=click.UUID)
@click.option("--confirm", default="", help="The campaign's name, written out.")
def delete(campaign_id: UUID, confirm: str) -> None:
    """Delete a campaign. Its values and files are kept; a folder of its name makes it come back."""
    from belvedere.api.campaigns import view

    with services() as built:
        found = built.campaigns.delete(actor(), campaign_id, confirm=confirm)
        tenant = built.tenants.get(actor(), found.tenant_id).name
    output.show(view(found, tenant), f"{found.name} is deleted. Its data is kept.")
