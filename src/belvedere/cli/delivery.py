"""`belvedere delivery VERB`: what was said about dashboards, where, and what waits."""

from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import serial_of


@click.group()
def delivery() -> None:
    """Deliveries: messages about dashboards, to the outbox and to chat."""


@delivery.command("list", epilog="Example: belvedere delivery list --state failed")
@click.option("--tenant", default="", help="Of one tenant: name, slug or number.")
@click.option("--state", type=click.Choice(["waiting", "sent", "failed"]), default=None, help="In one state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True, help="Most to print.")
def listed(tenant: str, state: str | None, limit: int) -> None:
    """List deliveries, the newest first."""
    from belvedere.api.deliveries import view

    with services() as built:
        serial = serial_of(built, tenant) if tenant else None
        page = built.notifications.list(actor(), tenant=serial, state=state, limit=limit)
    output.show_list(
        page.items,
        {
            "TITLE": lambda one: one.title, "BY": lambda one: one.creator,
            "CHANNEL": lambda one: " ".join(dict.fromkeys([one.channel_kind, one.channel])),
            "STATE": lambda one: one.state, "TRIES": lambda one: one.attempts, "SENT": lambda one: one.sent_at,
            "NEXT TRY": lambda one: one.next_try_at, "WHAT IS WRONG": lambda one: one.error or one.fallback,
            "LINK": lambda one: one.url, "ID": lambda one: one.id,
        },
        empty="Nothing was sent, and nothing waits.", total=page.total, value=view,
    )


@delivery.command(epilog="Example: belvedere delivery send 0192c8c3-...")
@click.argument("delivery_id", metavar="ID", type=click.UUID)
def send(delivery_id: UUID) -> None:
    """Send a message once more, to every channel that its tenant has now."""
    with services() as built:
        built.notifications.send_again(actor(), delivery_id)
    output.show({"message": "It is on its way once more."}, "It is on its way once more.")
