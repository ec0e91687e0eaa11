"""`belvedere dashboard VERB`: dashboards, and why they look as they do."""

from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import serial_of


@click.group()
def dashboard() -> None:
    """Dashboards: one template bound to one subject."""


@dashboard.command("list", epilog="Example: belvedere dashboards --tenant alice --jsonl")
@click.option("--tenant", default="", help="Of one tenant: name, slug or number.")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True, help="Most to print.")
def listed(tenant: str, limit: int) -> None:
    """List dashboards."""
    from belvedere.api.dashboards import view

    with services() as built:
        serial = serial_of(built, tenant) if tenant else None
        page = built.dashboards.list(actor(), tenant=serial, limit=limit)
    output.show_list(
        page.items,
        {
            "DASHBOARD": lambda one: one.title, "TENANT": lambda one: one.tenant, "DATABASE": lambda one: one.database,
            "TABLE": lambda one: one.table, "FAMILY": lambda one: f"{one.family} (guess)" if one.guess else one.family,
            "ID": lambda one: one.id, "STATE": lambda one: one.state,
        },
        empty="No dashboard yet. One appears seconds after a table has rows.", total=page.total, value=view,
    )


@dashboard.command(epilog="Example: belvedere dashboard show 0192c8c3-...")
@click.argument("dashboard_id", metavar="ID", type=click.UUID)
def show(dashboard_id: UUID) -> None:
    """Show one dashboard."""
    from belvedere.api.dashboards import view

    with services() as built:
        found = built.dashboards.get(actor(), dashboard_id)
    output.show(view(found))


@dashboard.command(epilog="Example: belvedere dashboard why 0192c8c3-... --json | jq .runner_up")
@click.argument("dashboard_id", metavar="ID", type=click.UUID)
def why(dashboard_id: UUID) -> None:
    """Tell why a dashboard looks as it does: the template, its score, the runner-up, the columns."""
    with services() as built:
        found = built.dashboards.why(actor(), dashboard_id)
    if output.style().machine:
        output.show(found)
        return
    runner_up = f"{found.runner_up.template} {found.runner_up.score:.2f}" if found.runner_up else "none"
    output.facts({
        "template": f"{found.template} (guess)" if found.guess else found.template,
        "score": f"{found.score:.2f} of {found.needed:.2f} needed", "runner-up": runner_up,
        "missing": ", ".join(found.missing) or "nothing", "because": "; ".join(found.reasons),
    })
    click.echo()
    output.table(["COLUMN", "TYPE", "ROLE", "BECAUSE"],
                 [[one.column, one.type, one.role or "-", one.because] for one in found.matched])


@dashboard.command(epilog="Example: belvedere dashboard export 0192c8c3-... > timing.json")
@click.argument("dashboard_id", metavar="ID", type=click.UUID)
def export(dashboard_id: UUID) -> None:
    """Print a dashboard as JSON that any Grafana imports by hand, asking for the data source."""
    import json

    with services() as built:
        document = built.templates.export(actor(), dashboard_id)
    click.echo(json.dumps(document, indent=2))
