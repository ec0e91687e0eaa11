"""`belvedere sample load`: the sample tenant and its tables."""

import click

from belvedere.cli.local import actor, services
from belvedere.cli.output import note, show


@click.group()
def sample() -> None:
    """Load the sample tenant."""


@sample.command(epilog="Example: belvedere sample load")
def load() -> None:
    """Make the tenant `alice` with tables that look like a real flow; what stands is left alone."""
    from belvedere.sample.service import load as load_sample

    with services() as built:
        made = load_sample(built, actor=actor(), say=note)
    show({"tenant": "alice", "tables": made}, f"{len(made)} tables made for alice")
