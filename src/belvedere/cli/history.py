"""`belvedere history VERB`: who did what, and is the record whole?

Reading and verifying need the files only: they also work while the installation is down, and say then that the
anchors in the control database were not compared. What is not here: what is written (`audit/`).
"""

import json
import re
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.kernel.errors import Later, Rejected, Stuck

if TYPE_CHECKING:
    from belvedere.app import Services
    from belvedere.audit.model import Head, Verification
    from belvedere.audit.service import FileHistory

_AGE: Final = re.compile(r"(?P<number>[1-9]\d{0,4})(?P<unit>[mhdw])")
_RESULTS: Final = ("running", "succeeded", "refused", "failed", "unknown")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the filters of the history."""
    options = (
        click.option("--text", default="", help="Stands anywhere: who, what, to what, from where, how, id."),
        click.option("--person", default="", help="Exactly who."),
        click.option("--verb", default="", help="Exactly what (tenant.create), or a noun (tenant)."),
        click.option("--target", default="", help="Exactly to what."),
        click.option("--result", type=click.Choice(_RESULTS), default=None, help="How it ended."),
        click.option("--tenant", default=None, help="Only what concerns this tenant."),
        click.option("--since", default=None, metavar="TIME", help="Not before: 2026-11-20T14:30, or an age: 2h, 7d."),
        click.option("--until", default=None, metavar="TIME", help="Before: as --since."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def history() -> None:
    """The history: every deed, written before it is done and after, in files that show when they were changed."""


@history.command("list", epilog="Example: belvedere history list --verb credential.reveal --since 7d")
@_filters
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most to print.")
def listed(limit: int, **filters: str | None) -> None:
    """List actions, the newest first."""
    from belvedere.audit.service import as_json

    with _opened() as (found, built):
        page = found.search(actor(), limit=limit, **_wanted(filters, built))
    output.show_list(
        page.items,
        {
            "TIME": lambda one: one.at, "STATE": lambda one: str(one.result), "WHO": lambda one: one.actor,
            "DID": lambda one: one.verb, "TO": lambda one: one.target, "FROM": lambda one: one.origin or one.door,
            "WHAT IS WRONG": lambda one: one.error or None,
        },
        empty="No action matches.", total=page.total, value=as_json,
    )  # fmt: skip


@history.command(epilog="Example: belvedere history verify --json > anchor.json   (keep it elsewhere)")
@click.option("--anchor", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=None,
              help="An earlier --json answer, kept elsewhere: what it saw must still stand.")
def verify(anchor: Path | None) -> None:
    """Walk over every line of every file and tell whether the record is whole. Exits 1 when it is not."""
    given = _anchor(anchor)
    with _opened() as (found, built):
        checked = found.check(actor(), given) if built else found.verify(given)
    output.show(_document(checked), lambda: _say(checked))
    if not checked.ok:
        raise click.exceptions.Exit(1)


@history.command(epilog="Example: belvedere history export --since 30d > history.jsonl")
@_filters
def export(**filters: str | None) -> None:
    """Print all actions that fit, one JSON document a line, the newest first."""
    number = 0
    with _opened() as (found, built):
        for number, one in enumerate(found.export(actor(), **_wanted(filters, built)), start=1):  # noqa: B007
            click.echo(json.dumps(one, ensure_ascii=False))
        if built:
            found.summary(actor(), "history.export", "history", count=number)


@contextmanager
def _opened() -> "Generator[tuple[FileHistory, Services | None]]":
    """Open the history with its services, or from its files alone when the installation is down."""
    with ExitStack() as stack:
        try:
            built = stack.enter_context(services())
            built.tenants.list(actor(), limit=1)  # The pool connects when it is first asked.
        except (Stuck, Later) as error:
            stack.close()
            output.note(f"{error.detail} Read from the files alone: the control database's anchors are not compared.")
            built = None
        if built is not None:
            yield built.history, built
            return
        from belvedere.audit.service import FileHistory
        from belvedere.kernel.settings import load

        alone = FileHistory(load().path("history"))
        try:
            yield alone, None
        finally:
            alone.close()


def _wanted(filters: dict[str, str | None], built: "Services | None") -> dict[str, Any]:
    tenant = filters.pop("tenant")
    since, until = _moment(filters.pop("since")), _moment(filters.pop("until"))
    serial = int(tenant) if tenant and tenant.isdecimal() else None
    if tenant and serial is None:
        if built is None:
            message = "Without the control database a tenant is known by its number only."
            raise Rejected(message, field="tenant")
        serial = built.tenants.get(actor(), tenant).serial
    return {name: value or "" for name, value in filters.items()} | {"tenant": serial, "since": since, "until": until}


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    age = _AGE.fullmatch(text)
    if age:
        return datetime.now(UTC) - timedelta(**{_UNITS[age["unit"]]: int(age["number"])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"`{text}` is no time. Write 2026-11-20T14:30 or an age such as 2h."
        raise Rejected(message) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _anchor(path: Path | None) -> "dict[str, Head] | None":
    from belvedere.audit.model import Head

    if path is None:
        return None
    try:
        heads = json.loads(path.read_text())["heads"]
        return {str(file): Head(int(head["lines"]), str(head["hash"])) for file, head in heads.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} is no answer of `belvedere history verify --json`."
        raise Rejected(message, field="anchor") from error


def _document(found: "Verification") -> dict[str, Any]:
    broken = found.broken_at
    return {
        "ok": found.ok, "count": found.count, "head": found.head,
        "broken_at": {"file": broken.file, "line": broken.line, "why": broken.why} if broken else None,
        "breaks": [{"file": one.file, "line": one.line, "why": one.why} for one in found.breaks],
        "records": found.records, "files": found.files, "anchors": found.anchors, "repairs": found.repairs,
        "checked_at": found.checked_at, "duration_ms": found.duration_ms,
        "heads": {file: {"lines": head.lines, "hash": head.hash} for file, head in found.heads.items()},
    }  # fmt: skip


def _say(found: "Verification") -> None:
    if found.ok:
        click.echo(f"The chain is whole: {found.count:,} actions, {found.files:,} files, {found.duration_ms:,.0f} ms.")
        click.echo(f"head {found.head}")
        if found.repairs:
            click.echo(f"{found.repairs} torn last lines were noted openly.")
        return
    for one in found.breaks:
        place = f"{one.file}, line {one.line}" if one.line else one.file
        click.echo(output.error_text(f"the chain is broken at {place}", one.why))
