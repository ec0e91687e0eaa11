"""`belvedere tenant VERB`: create, look at, plan, apply and delete tenants; replace an API key."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services

if TYPE_CHECKING:
    from belvedere.app import Services
    from belvedere.tenants.model import StepRecord, Tenant

SOMETHING_TO_DO = 3
"""Exit code of a plan with `--detailed-exitcode` that has steps."""

_STARTING_S: Final = 15.0
"""How long a runner may take to come up after the first page."""

_WAIT = click.option("--wait", "wait_s", type=click.FloatRange(0, 3600), default=60.0, show_default=True,
                     metavar="SECONDS", help="How long to wait for the end; 0 returns at once.")


@click.group()
def tenant() -> None:
    """Tenants: who owns data. NAME is a tenant's name, slug or number."""


@tenant.command(epilog="Example: belvedere tenant create alice --json | jq -r .api_key")
@click.argument("name")
@click.option("--kind", default="tables", show_default=True, help="What its data are.")
@click.option("--member", default="", metavar="EMAIL", help="The first member, who is the owner; prints their link.")
@click.option("--tier", default="", help="Where it looks: viewer, org, team or instance; the usual one if absent.")
@_WAIT
def create(name: str, kind: str, member: str, tier: str, wait_s: float) -> None:
    """Make a tenant with its databases, logins and workspace, and print its API key, which is shown this once."""
    from belvedere.api.members import invitation_url
    from belvedere.api.tenants import MadeTenant, members

    with services() as built:
        made, key, token = built.invitations.found(
            actor(), name, kind=kind, owner=member, also=built.moves.chosen(tier)
        )
        link = invitation_url(built.settings.url, token.reveal()) if token else None
        made = _wait(built, made, wait_s)
        state = built.drift.state(actor(), made.serial)
        shown = MadeTenant(**members(made, state), api_key=key.reveal(), invitation=link)
    also = {"link for " + member.strip(): link} if link else {}
    output.show(shown, lambda: _facts(made, **{"api key": shown.api_key, **also}))


@tenant.command("list", epilog="Example: belvedere tenants --state 'needs you'")
@click.option("--text", default="", help="A part of the name.")
@click.option("--state", default="", help="working, ready, partial, needs you or deleting.")
@click.option("--limit", type=click.IntRange(1, 1000), default=1000, show_default=True, help="Most to print.")
def listed(text: str, state: str, limit: int) -> None:
    """List tenants."""
    from belvedere.api.tenants import views

    with services() as built:
        page = built.tenants.list(actor(), text=text, state=state, limit=limit)
        found = views(built, actor(), page.items)
    output.show_list(
        found,
        {
            "TENANT": lambda one: one.name, "ID": lambda one: one.id, "DATA": lambda one: one.kind,
            "TIER": lambda one: one.tier, "WORKSPACE": lambda one: one.workspace,
            "STEPS": lambda one: f"{one.steps_done}/{one.steps_total}", "CREATED": lambda one: one.created_at,
            "STATE": lambda one: one.state, "PROBLEM": lambda one: one.problem,
        },
        empty="No tenants yet. Make one: belvedere tenant create NAME", total=page.total,
    )


@tenant.command(epilog="Example: belvedere tenant show alice")
@click.argument("name")
def show(name: str) -> None:
    """Show a tenant and the steps of its place."""
    from belvedere.api.tenants import view

    with services() as built:
        found = built.tenants.get(actor(), _reference(name))
        steps = built.tenants.steps(actor(), found.serial)
        shown = view(built, actor(), found)
    output.show(shown, lambda: _whole(found, steps, tier=shown.tier, workspace=output.state_text(shown.workspace)))


@tenant.command(epilog="Example: belvedere tenant plan alice --detailed-exitcode || echo drift")
@click.argument("name")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
def plan(name: str, *, detailed_exitcode: bool) -> None:
    """Compare a tenant's place with what it should be and print the steps that would make it so."""
    with services() as built:
        found = built.stores.plan(actor(), built.tenants.get(actor(), _reference(name)).serial)
    print_plan(found, detailed_exitcode=detailed_exitcode)


def print_plan(found: Any, *, detailed_exitcode: bool) -> None:  # noqa: ANN401  (any room's plan)
    """Print a plan, and end with 3 if that was asked for and there is something to do."""
    from belvedere.api.tenants import view_plan

    view = view_plan(found)
    output.show(view, view.text)
    if detailed_exitcode and found:
        raise click.exceptions.Exit(SOMETHING_TO_DO)


@tenant.command(epilog="Example: belvedere tenant apply alice --wait 120")
@click.argument("name")
@_WAIT
def apply(name: str, wait_s: float) -> None:
    """Carry out a tenant's plan now, whatever state it is in. Running it again does nothing."""
    from belvedere.api.tenants import view

    with services() as built:
        found = _wait(built, built.tenants.retry(actor(), _reference(name)), wait_s)
        steps = built.tenants.steps(actor(), found.serial)
        shown = view(built, actor(), found)
    output.show(shown, lambda: _whole(found, steps))


@tenant.command(epilog="Example: belvedere tenant move alice --tier team --dry-run")
@click.argument("name")
@click.option("--tier", required=True, help="Where it looks from then on: viewer, org, team or instance.")
@click.option("--dry-run", is_flag=True, help="Only print what would be made there and taken away here.")
@_WAIT
def move(name: str, tier: str, wait_s: float, *, dry_run: bool) -> None:
    """Move a tenant to another tier with its dashboards and members. The old place goes when the new one is complete.

    Ending it, or the machine, in the middle loses nothing: the move goes on by itself, or can be turned round.
    """
    from belvedere.api.tenants import view_plan

    with services() as built:
        serial = serial_of(built, name)
        view = view_plan((built.moves.plan if dry_run else built.moves.begin)(actor(), serial, tier))
        if not dry_run:
            moving = _wait_for_move(built, serial, wait_s) if view.steps else False
    output.show(view, view.text)
    if not dry_run and view.steps:
        output.note("It is under way: belvedere tenant show tells how far it is." if moving else "Done.")


def _wait_for_move(built: "Services", serial: int, wait_s: float) -> bool:
    """Wait for the end of a move; tell whether it is still under way."""
    patient = time.monotonic() + wait_s
    if wait_s > 0 and not runner_works(built):
        output.note("No runner works on the queue: start one with `belvedere jobs`. Not waiting.")
        return True
    while built.moves.under_way(actor(), serial) is not None:
        if time.monotonic() >= patient:
            return True
        time.sleep(0.1)
    return False


@tenant.command(epilog="Example: belvedere tenant delete alice --confirm alice")
@click.argument("name")
@click.option("--keep-data", is_flag=True, help="Keep the databases; nobody can sign in to them.")
@click.option("--confirm", default="", metavar="NAME", help="The tenant's name, for scripts; asked for otherwise.")
@_WAIT
def delete(name: str, confirm: str, wait_s: float, *, keep_data: bool) -> None:
    """Delete a tenant: previews, workspace, databases, logins. It asks for the name and says what goes."""
    from belvedere.api.tenants import view
    from belvedere.kernel.errors import NotFound, Rejected

    with services() as built:
        found = built.tenants.get(actor(), _reference(name))
        if not confirm:
            _say_what_goes(built, found, keep_data=keep_data)
            if not sys.stdin.isatty():
                message = "There is nobody to ask, so nothing was deleted."
                raise Rejected(message, hint=f"--confirm '{found.name}'", code="confirm")
            confirm = click.prompt(f"Type {found.name} to delete it", default="", show_default=False, err=True)
        gone = built.tenants.delete(actor(), found.serial, confirm=confirm, keep_data=keep_data)
        try:
            gone = _wait(built, gone, wait_s)
        except NotFound:
            output.show({"name": found.name, "state": "deleted"}, f"{found.name} is deleted.")
            return
        shown = view(built, actor(), gone)
    output.show(shown, lambda: _facts(gone))


@tenant.command(epilog="Example: belvedere tenant key alice --json | jq -r .api_key")
@click.argument("name")
def key(name: str) -> None:
    """Replace a tenant's API key and print the new one, which is shown this once. The old one ends at once."""
    from belvedere.api.tenants import NewKey

    with services() as built:
        made = NewKey(built.tenants.rotate_key(actor(), _reference(name)).reveal())
    output.show(made, made.api_key)


def of_tenant(thing: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a command take the name of a tenant, and then that of something of it."""
    return lambda command: click.argument("tenant")(click.argument(thing)(command))


def serial_of(built: "Services", name: str) -> int:
    """Return the number of the tenant that an argument names."""
    return built.tenants.get(actor(), _reference(name)).serial


def _reference(name: str) -> int | str:
    from belvedere.api.model import reference

    return reference(name)


def _wait(built: "Services", found: "Tenant", wait_s: float) -> "Tenant":
    if wait_s <= 0:
        return found
    if not runner_works(built):
        output.note("No runner works on the queue: start one with `belvedere jobs`. Not waiting.")
        return found
    return built.tenants.wait(actor(), found.serial, most_s=wait_s)


def runner_works(built: "Services") -> bool:
    """Tell whether a runner is there, or comes: right after `belvedere up --detach` it is still starting."""
    from belvedere.kernel.running import running

    patient = time.monotonic() + (_STARTING_S if running(built.settings) else 0)
    while not built.queue.overview(actor()).runners:
        if time.monotonic() >= patient:
            return False
        time.sleep(0.1)
    return True


def _facts(found: "Tenant", **more: object) -> None:
    output.facts({
        "name": found.name, "id": found.serial, "state": output.state_text(found.state),
        "steps": f"{found.steps_done} of {found.steps_total}", "created": found.created_at, "by": found.created_by,
        **({"problem": found.problem} if found.problem else {}), **more,
    })


def _whole(found: "Tenant", steps: "list[StepRecord]", **more: object) -> None:
    _facts(found, **more)
    if steps:
        click.echo()
        output.table(
            ["STEP", "TARGET", "STATE", "ENDED", "WHAT IS WRONG"],
            [[f"{one.sign} {one.title}", one.target, one.state, one.ended_at, one.error] for one in steps],
        )


def _say_what_goes(built: "Services", found: "Tenant", *, keep_data: bool) -> None:
    databases = [store.database for store in built.stores.list(actor(), found.serial)]
    dashboards = built.dashboards.list(actor(), tenant=found.serial, limit=1)
    count = dashboards.total if dashboards.total is not None else len(dashboards.items)
    word = "stay, and nobody can sign in to them" if keep_data else "go with all their tables"
    output.note(f"{found.name}: {count} dashboards with their previews go, logins and credentials go; "
                f"{', '.join(databases) or 'no databases'}: {word}. The history stays. There is no undo.")
