"""`belvedere preview VERB`: pictures of dashboards."""

from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services


@click.group()
def preview() -> None:
    """Previews: the moving pictures of dashboards."""


@preview.command("list", epilog="Example: belvedere preview list 0192c8c3-...")
@click.argument("dashboard_id", metavar="DASHBOARD", type=click.UUID)
def listed(dashboard_id: UUID) -> None:
    """List the pictures of a dashboard, the newest first."""
    from belvedere.api.dashboards import view_preview

    with services() as built:
        found = built.previews.list(actor(), built.dashboards.get(actor(), dashboard_id).id)
    output.show_list(
        found,
        {
            "REQUESTED": lambda one: one.requested_at, "STATE": lambda one: one.state,
            "TRIES": lambda one: one.attempts, "FRAMES": lambda one: one.frames, "BYTES": lambda one: one.gif_bytes,
            "MS": lambda one: one.duration_ms, "NEXT TRY": lambda one: one.next_try_at,
            "WHAT IS WRONG": lambda one: one.error, "ID": lambda one: one.id,
        },
        empty=f"Not captured yet. belvedere preview capture {dashboard_id}", value=view_preview,
    )


@preview.command(epilog="Example: belvedere preview capture 0192c8c3-...")
@click.argument("dashboard_id", metavar="DASHBOARD", type=click.UUID)
def capture(dashboard_id: UUID) -> None:
    """Have a picture taken now."""
    from belvedere.api.dashboards import view_preview

    with services() as built:
        made = built.previews.request(actor(), dashboard_id)
    output.show(view_preview(made), f"A picture is {made.state}. belvedere preview list {dashboard_id}")
