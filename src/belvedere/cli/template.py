"""`belvedere template VERB`: dashboards of Grafana as templates."""

from pathlib import Path
from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services


@click.group()
def template() -> None:
    """Templates: how tables are drawn in Grafana, beyond the catalogue."""


@template.command("list", epilog="Example: belvedere template list --json")
def listed() -> None:
    """List the templates that were brought in."""
    with services() as built:
        found = built.templates.list(actor())
    output.show_list(
        found,
        {
            "TEMPLATE": lambda one: one.name, "TITLE": lambda one: one.title,
            "STANDS FOR": lambda one: one.stands_for or "-", "CHOSEN": lambda one: one.chosen,
            "BY": lambda one: one.made_by, "SINCE": lambda one: one.made_at,
        },
        empty="None. Bring one: belvedere template import FILE",
    )


@template.command("import", epilog="Example: belvedere template import timing.json --for timing-paths")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="", help="What it is called. Without: after the dashboard's title.")
@click.option("--for", "stands_for", default="", metavar="TEMPLATE",
              help="Draw every table that this template of the catalogue recognises by it.")
def bring(file: Path, name: str, stands_for: str) -> None:
    """Keep an export of Grafana as a template, or a new version of the one of that name."""
    from belvedere.dashboards.grafana_json import MOST_BYTES

    with file.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    with services() as built:
        made = built.templates.bring(actor(), data, name=name, stands_for=stands_for)
    output.show(made)


@template.command(epilog="Example: belvedere template remove timing-of-ours")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a template; its dashboards are drawn by the catalogue again."""
    with services() as built:
        built.templates.remove(actor(), name)
    output.note(f"{name} is gone.")


@template.command(epilog="Example: belvedere template use timing-of-ours 0192c8c3-...")
@click.argument("name")
@click.argument("dashboard_id", metavar="DASHBOARD", type=click.UUID)
def use(name: str, dashboard_id: UUID) -> None:
    """Draw one dashboard by a template; `-` for NAME gives it back to the catalogue."""
    with services() as built:
        built.templates.choose(actor(), dashboard_id, "" if name == "-" else name)
    output.note("It is written to Grafana with the next apply, in seconds.")


@template.command(epilog="Example: belvedere template take 0192c8c3-... --name timing-of-ours")
@click.argument("dashboard_id", metavar="DASHBOARD", type=click.UUID)
@click.option("--name", default="", help="What it is called. Without: after the dashboard's title.")
@click.option("--for", "stands_for", default="", metavar="TEMPLATE",
              help="Draw every table that this template of the catalogue recognises by it.")
def take(dashboard_id: UUID, name: str, stands_for: str) -> None:
    """Make the template of what a person made of a dashboard in Grafana."""
    with services() as built:
        made = built.templates.take_theirs(actor(), dashboard_id, name=name, stands_for=stands_for)
    output.show(made)
