"""`belvedere fleet VERB`: the operators' dashboard of all uploads in Grafana.

What is not here: what is done (`dashboards/fleet/`), and the page that shows the same from our own rows.
"""

from typing import TYPE_CHECKING

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import SOMETHING_TO_DO
from belvedere.kernel.plan import Plan, render

if TYPE_CHECKING:
    from belvedere.api.fleet import FleetView
    from belvedere.dashboards.fleet.plan import Deed


@click.group()
def fleet() -> None:
    """The dashboard of all tenants' uploads in Grafana, for operators."""


@fleet.command(epilog="Example: belvedere fleet show --json | jq -r .url")
def show() -> None:
    """Show where it is, and how it was at the last look; asks no Grafana."""
    from belvedere.api.fleet import view

    with services() as built:
        found = view(built, actor())
    output.show(found, lambda: _print(found))


@fleet.command(epilog="Example: belvedere fleet plan --detailed-exitcode || echo drift")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
def plan(*, detailed_exitcode: bool) -> None:
    """Compare what stands in Grafana and InfluxDB with what should be there, and print the steps to it."""
    with services() as built:
        found = built.fleet.plan(actor())
    _show(found)
    if detailed_exitcode and found:
        raise click.exceptions.Exit(SOMETHING_TO_DO)


@fleet.command(epilog="Example: belvedere fleet apply")
@click.option("--restore", is_flag=True, help="Write ours again over a dashboard that was changed by hand.")
def apply(*, restore: bool) -> None:
    """Make or repair it now, and print what was done. Again does nothing."""
    with services() as built:
        found = built.fleet.apply(actor(), restore=restore)
    _show(found)


def _print(found: "FleetView") -> None:
    output.facts({
        "dashboard": found.url or None, "state": output.state_text(found.state), "why not": found.why_not or None,
        "organisation": found.organisation or None, "looked at": found.looked_at,
        "what is wrong": found.problem or None, "since": found.problem_since, "next step": found.hint or None,
    })
    for one in found.warnings:
        click.echo(f"! {one}")


def _show(found: "Plan[Deed]") -> None:
    from belvedere.api.tenants import view_plan

    output.show(view_plan(found), lambda: click.echo(render(found)))
