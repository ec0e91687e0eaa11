"""`belvedere workspace VERB`: where tenants look; what differs there, repairing it, choosing.

What is not here: what is done (`workspaces/`), and the pages that show the same (`web/workspaces.py`).
"""

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.adoption import adopt
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import SOMETHING_TO_DO, runner_works, serial_of
from belvedere.kernel.errors import BelvedereError, Rejected
from belvedere.kernel.plan import Sign

if TYPE_CHECKING:
    from belvedere.app import Services
    from belvedere.inventory.model import Inventory
    from belvedere.kernel.plan import Plan
    from belvedere.tenants.model import StepRecord
    from belvedere.workspaces.drift.model import TenantDrift, WorkspaceState
    from belvedere.workspaces.drift.service import Planned

_SLICE_S: Final = 0.5
"""How often progress is looked at."""

_COLOURS: Final = {"+": "green", "~": "yellow", "-": "red"}
_PROBLEM: Final = {"needs you": 1, "waiting": 75}
"""How a command ends whose workspace is in such a state."""

_ALL = click.option("--all", "everybody", is_flag=True, help="Every tenant, by number.")
_TENANT = click.argument("tenant", required=False)


@click.group()
def workspace() -> None:
    """Workspaces: where tenants look. TENANT is a tenant's name, slug or number."""


workspace.add_command(adopt)


@workspace.command("list", epilog="Example: belvedere workspace list --drifted --json")
@click.option("--drifted", is_flag=True, help="Only those that are not as they should be.")
def listed(*, drifted: bool) -> None:
    """List workspaces as they were at the last look; asks no Grafana."""
    from belvedere.api.workspaces import view

    with services() as built:
        serials = [one.serial for one in built.drift.tenants(actor())]
        found = [built.drift.of(actor(), serial) for serial in serials]
    shown = [one for one in found if not drifted or one.state.problem or one.state.differs or one.state.by_hand]
    output.show_list(
        shown,
        {
            "TENANT": lambda one: one.state.name, "TIER": lambda one: one.state.tier,
            "ORGANISATION": lambda one: one.state.organisation or "-", "DIFFERS": lambda one: one.state.differs,
            "BY HAND": lambda one: one.state.by_hand, "LOOKED AT": lambda one: one.state.looked_at,
            "STATE": lambda one: one.state.word, "PROBLEM": lambda one: one.state.problem,
        },
        empty="No drift." if drifted else "No tenants yet.", value=view,
    )


@workspace.command(epilog="Example: belvedere workspace show alice")
@click.argument("tenant")
def show(tenant: str) -> None:
    """Show where a tenant looks, how it is, and what differs, by the last look."""
    from belvedere.api.workspaces import view

    with services() as built:
        serial = serial_of(built, tenant)
        found, warning = built.drift.of(actor(), serial), built.workspaces.warning(serial)
    output.show(view(found, warning), lambda: _print_state(found, warning))


@workspace.command(epilog="Example: belvedere workspace plan --all --detailed-exitcode || echo drift")
@_TENANT
@_ALL
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
def plan(tenant: str | None, *, everybody: bool, detailed_exitcode: bool) -> None:
    """Compare workspaces with what they should be and print the steps that would make them so."""
    from belvedere.workspaces.drift.service import Planned

    one_tenant = _one(tenant, everybody=everybody)
    with services() as built:
        if one_tenant is not None:
            serial = serial_of(built, one_tenant)
            found = [Planned(built.tenants.get(actor(), serial), built.workspaces.plan(actor(), serial))]
        else:
            found = list(built.drift.plans(actor()))
    output.show(_plan_value(found, whole=everybody), lambda: _print_plans(found, whole=everybody))
    errors = [one.error for one in found if one.error is not None]
    if errors:
        raise click.exceptions.Exit(min(error.exit_code for error in errors))
    if detailed_exitcode and any(one.plan for one in found):
        raise click.exceptions.Exit(SOMETHING_TO_DO)


@workspace.command(epilog="Example: belvedere workspace apply alice --wait 120")
@_TENANT
@_ALL
@click.option("--wait", "wait_s", type=click.FloatRange(0, 86_400), default=300.0, show_default=True,
              metavar="SECONDS", help="How long to wait for the end; 0 returns at once.")
def apply(tenant: str | None, wait_s: float, *, everybody: bool) -> None:
    """Repair what differs, and say what was done. Running it again does nothing."""
    from belvedere.api.workspaces import view

    one_tenant = _one(tenant, everybody=everybody)
    with services() as built:
        if one_tenant is not None:
            serials = [serial_of(built, one_tenant)]
        else:
            serials = [one.serial for one in built.drift.tenants(actor())]
        found = _applied(built, serials, wait_s)
    if everybody:
        output.show({"items": [view(one) for one in found]}, lambda: _print_ends(found))
    else:
        output.show(view(found[0]), lambda: _print_ends(found))
    codes = [_PROBLEM[one.state.word] for one in found if one.state.word in _PROBLEM]
    if codes:
        raise click.exceptions.Exit(min(codes))


@workspace.command(epilog="Example: belvedere workspace password alice --json | jq -r .password")
@click.argument("tenant")
def password(tenant: str) -> None:
    """Hand over the first password of a tenant's default user, once: it is not kept after this."""
    from belvedere.api.parts import FirstPassword

    with services() as built:
        login, found = built.workspaces.take_password(actor(), serial_of(built, tenant))
    output.show(FirstPassword(login, found.reveal()), f"{login}  {found.reveal()}")


@workspace.command(epilog="Example: belvedere workspace resolve 0192c8c3-... --restore-ours")
@click.argument("dashboard", type=click.UUID)
@click.option("--keep-theirs", "choice", flag_value="theirs", help="It is the tenant's own from now on.")
@click.option("--restore-ours", "choice", flag_value="ours", help="Write ours over what was changed.")
@click.option("--make-template", "choice", flag_value="template", help="Draw it by a template made of theirs.")
def resolve(dashboard: UUID, choice: str | None) -> None:
    """Choose for a dashboard that somebody changed in Grafana. DASHBOARD is its id: belvedere workspace show TENANT."""
    from belvedere.api.workspaces import choose

    if choice is None:
        message = "Choose what becomes of it."
        raise Rejected(message, hint="--keep-theirs, --restore-ours or --make-template", field="choice")
    with services() as built:
        found = built.dashboards.get(actor(), dashboard)
        said = choose(built, actor(), found, choice)
    output.show({"dashboard": found.id, "tenant": found.tenant, "choice": choice}, said)


@workspace.command(epilog="Example: belvedere workspace inventory --all --csv > inventory.csv")
@_TENANT
@_ALL
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: one line a thing.")
def inventory(tenant: str | None, *, everybody: bool, as_csv: bool) -> None:
    """Print what a tenant has: place, folder, data sources, dashboards, members."""
    from belvedere.api.workspaces import view_inventory
    from belvedere.inventory.model import csv_lines

    one_tenant = _one(tenant, everybody=everybody)
    with services() as built:
        if one_tenant is not None:
            found = iter([built.inventories.of(actor(), serial_of(built, one_tenant))])
        else:
            found = built.inventories.all(actor())
        if as_csv:
            for line in csv_lines(found):
                click.echo(line, nl=False)
            return
        whole = list(found)
    shown = [view_inventory(one) for one in whole]
    output.show({"items": shown} if everybody else shown[0], lambda: _print_inventory(whole))


def _one(tenant: str | None, *, everybody: bool) -> str | None:
    """Return the one tenant that is meant, or None for all of them.

    Raises:
        Rejected: neither, or both.
    """
    if (tenant is None) == (not everybody):
        message = "Name a tenant, or say --all." if tenant is None else "Name a tenant or say --all, not both."
        raise Rejected(message, field="tenant")
    return tenant


def _print_state(found: "TenantDrift", warning: str = "") -> None:
    state = found.state
    output.facts({
        "tenant": state.name, "tier": state.tier, "state": output.state_text(state.word),
        **({"address": state.url, "organisation": f"{state.organisation}, {state.organisation_name}"}
           if state.organisation else {}),
        "looked at": state.looked_at, **({"warning": warning} if warning else {}),
        **({"problem": state.problem, "since": state.since,
            "next step": state.hint or f"/problems/{state.problem_type}"} if state.problem else {}),
    })
    for one in found.differences:
        click.echo()
        _print_step(one.sign, f"{one.title} {one.target}", [(c.field, c.old, c.new) for c in one.changes])
        if one.dashboard is not None:
            click.echo(f"      belvedere workspace resolve {one.dashboard} --keep-theirs")
            click.echo("      or with --restore-ours, or with --make-template")


def _print_step(sign: str, text: str, changes: Iterable[tuple[str, str, str]]) -> None:
    coloured = output.style().coloured()
    click.echo(f"  {click.style(sign, fg=_COLOURS[sign]) if coloured else sign} {text}".rstrip(), color=coloured)
    for field, old, new in changes:
        click.echo(f"      {field}: {old} -> {new}")


def _print_plans(found: "Sequence[Planned]", *, whole: bool) -> None:
    for one in found:
        if one.error is not None:
            output.note(output.error_text(f"{one.tenant.name}: {one.error.detail}", None, one.error.hint))
        elif not one.plan and not whole:
            click.echo(f"{one.tenant.name}: nothing to do.")
        elif one.plan:
            click.echo(f"{one.plan.subject}: {one.plan.summary()}.")
            for step in one.plan.steps:
                changes = [(c.field, c.old, c.new) for c in step.changes]
                _print_step(step.sign, f"{step.title} {step.target}", changes)
            if one.plan.partial:
                click.echo("  What else there is to do shows after these steps.")
        if one.plan is not None:
            for warning in one.plan.warnings:
                click.echo(f"  ! {warning}")
    if whole:
        counts = _counts(found)
        failed = f"; {counts['failed']} not planned" if counts["failed"] else ""
        click.echo(f"{len(found)} tenants: {counts['create']} to create, {counts['change']} to change, "
                   f"{counts['remove']} to remove{failed}.")


def _counts(found: "Sequence[Planned]") -> dict[str, int]:
    steps = [step for one in found if one.plan for step in one.plan.steps]
    names = {Sign.CREATE: "create", Sign.CHANGE: "change", Sign.REMOVE: "remove"}
    counted = {name: sum(step.sign is sign for step in steps) for sign, name in names.items()}
    return counted | {"failed": sum(one.error is not None for one in found)}


def _plan_value(found: "Sequence[Planned]", *, whole: bool) -> Any:  # noqa: ANN401  (what JSON holds)
    from belvedere.api.tenants import view_plan

    if not whole:
        return view_plan(_must(found[0].plan))
    items = [
        {"tenant": one.tenant.serial, "plan": view_plan(one.plan)} if one.plan is not None
        else {"tenant": one.tenant.serial, "problem": one.error.problem if one.error else "",
              "detail": one.error.detail if one.error else ""}
        for one in found
    ]  # fmt: skip
    return {"items": items, **_counts(found)}


def _must(plan: "Plan[Any] | None") -> "Plan[Any]":
    if plan is None:  # pragma: no cover  (a single plan that failed has raised)
        raise BelvedereError
    return plan


def _applied(built: "Services", serials: list[int], wait_s: float) -> "list[TenantDrift]":
    """Start the repairs, and wait for their ends with progress on stderr."""
    before = {serial: built.drift.state(actor(), serial).ended_at for serial in serials}
    known = {serial: _ends(built, serial) for serial in serials}
    for serial in serials:
        built.workspaces.apply(actor(), serial)
    deadline = time.monotonic() + wait_s
    if wait_s > 0 and not runner_works(built):
        output.note("No runner works on the queue: start one with `belvedere jobs`. Not waiting.")
        deadline = 0.0
    for serial in serials:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            state = built.drift.wait(actor(), serial, since=before[serial], most_s=min(left, _SLICE_S))
            known[serial] = _tell_progress(state, known[serial], _steps(built, serial))
            if state.ended_at != before[serial]:
                break
    return [built.drift.of(actor(), serial) for serial in serials]


def _steps(built: "Services", serial: int) -> "list[StepRecord]":
    return [one for one in built.tenants.steps(actor(), serial) if one.room == "workspaces"]


def _ends(built: "Services", serial: int) -> dict[str, object]:
    return {one.key: one.ended_at for one in _steps(built, serial)}


def _tell_progress(
    state: "WorkspaceState", known: dict[str, object], steps: "list[StepRecord]"
) -> dict[str, object]:
    """Say on stderr which steps ended since the last look."""
    for one in steps:
        if one.started_at is not None and one.ended_at is not None and known.get(one.key) != one.ended_at:
            what = f"{one.title} {one.target}".rstrip()
            output.note(f"{state.name}: {one.sign} {what}: {one.state}{f', {one.error}' if one.error else ''}")
    return {one.key: one.ended_at for one in steps}


def _print_ends(found: "Sequence[TenantDrift]") -> None:
    for one in found:
        state = one.state
        rest = f"{state.by_hand} changed by hand, to be chosen" if state.by_hand else ""
        said = state.problem or rest or ("nothing differs." if state.word == "ready" else "not at its end yet.")
        click.echo(f"{state.name}: {output.state_text(state.word)}, {said}")
        if state.problem and state.hint:
            click.echo(f"  try: {state.hint}")


def _print_inventory(found: "Sequence[Inventory]") -> None:
    output.table(
        ["TENANT", "KIND", "NAME", "ID", "WHERE", "STATE"],
        [[one.name, entry.kind, entry.name, entry.id, entry.where, entry.state]
         for one in found for entry in one.entries],
    )
