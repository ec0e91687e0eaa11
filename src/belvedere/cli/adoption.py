"""`belvedere workspace adopt`: find, show and take over what other programs made in Grafana for tenants.

What is not here: the rules (`workspaces/adoption/`).
"""

from collections import Counter
from typing import TYPE_CHECKING

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import SOMETHING_TO_DO

if TYPE_CHECKING:
    from belvedere.workspaces.adoption.model import Candidate


@click.command(epilog="Example: belvedere workspace adopt --dry-run --json")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--organisation", type=int, default=0, metavar="NUMBER", help="Look into this organisation alone.")
@click.option("--name", default="", help="Only what is called so in Grafana.")
@click.option("--shape", type=click.Choice(["organisation", "team", "sources"]), default=None,
              help="Only the work of the cost monitor, of the playbook or of the credential manager.")
@click.option("--tenant", default="", help="The tenant to link it to, made if there is none; for one find alone.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
def adopt(
    *, dry_run: bool, organisation: int, name: str, shape: str | None, tenant: str, detailed_exitcode: bool
) -> None:
    """Take over organisations, teams and data sources that other programs made, without changing them."""
    from belvedere.api.adoption import view_find
    from belvedere.workspaces.adoption.model import Outcome
    from belvedere.workspaces.adoption.service import Choice

    choice = Choice(organisation, name, tenant, shape or "")
    with services() as built:
        found = (built.adoption.look if dry_run else built.adoption.take)(actor(), choice)
    output.show_list(
        found,
        {
            "": lambda one: _SIGNS[str(one.outcome)],
            "FOUND": lambda one: f"{one.find.name} ({one.find.shape}, organisation {one.find.organisation})",
            "TENANT": _tenant,
            "OBJECTS": _objects,
            "WHY": lambda one: " ".join(word for word in (one.why, one.hint) if word) or "-",
        },
        empty="Nothing of the cost monitor, the file service or the credential manager is there.",
        value=view_find,
    )
    if detailed_exitcode and any(not one.taken and one.outcome not in {Outcome.DONE, Outcome.REFUSED} for one in found):
        raise click.exceptions.Exit(SOMETHING_TO_DO)


_SIGNS = {"create": "+", "link": "~", "finish": "~", "done": "=", "refused": "!"}


def _tenant(one: "Candidate") -> str:
    number = one.tenant or one.number
    known = f"{one.name} ({number})" if number else one.name
    words = {"create": f"new: {known}", "refused": "-"}
    return words.get(str(one.outcome), known)


def _objects(one: "Candidate") -> str:
    counts = Counter(thing.kind for thing in one.find.things)
    words = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items()]
    words += [f"{one.find.people} people"] if one.find.people else []
    return ", ".join(words) + ("" if one.find.inside else " (the rest is seen after joining it)")
