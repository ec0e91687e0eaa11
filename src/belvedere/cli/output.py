"""How the command line prints: tables for people, JSON for programs, errors in three lines.

Colours, and fitting to the width, are for terminals; a pipe gets plain text and whole columns. Progress and
warnings go to stderr, so that stdout is always the answer. What is not here: any command.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import click
import msgspec

from belvedere.kernel.clock import iso
from belvedere.kernel.errors import BelvedereError, Later, TooMany
from belvedere.kernel.secret import Secret

_TONES: Final = {"good": "green", "working": "cyan", "warn": "yellow", "bad": "red", "neutral": None}
_SIGNS: Final = {"good": "+", "working": "~", "warn": "!", "bad": "x", "neutral": "-"}
_STATES: Final = {
    "ready": "good", "done": "good", "sent": "good", "captured": "good", "succeeded": "good", "running": "good",
    "stable": "good", "ok": "good", "active": "good", "loaded": "good", "parsed": "good",
    "working": "working", "doing": "working", "loading": "working", "new": "working", "starting": "working",
    "stopping": "working", "todo": "working", "received": "working", "reading": "working", "stored": "working",
    "partial": "warn", "waiting": "warn", "planned": "warn", "refused": "warn", "unknown": "warn", "restarting": "warn",
    "empty": "warn", "drifted": "warn",
    "needs you": "bad", "failed": "bad", "stuck": "bad", "error": "bad", "deleting": "bad", "revoked": "bad",
    "broken": "bad",
}
_GAP: Final = "  "


@dataclass(slots=True)
class Style:
    """How this invocation prints: set by the options that every command has."""

    form: str = "text"
    color: str = "auto"

    @property
    def machine(self) -> bool:
        """Tell whether a program reads the answer."""
        return self.form != "text"

    def coloured(self) -> bool:
        """Tell whether colours are wanted on stdout."""
        if self.color != "auto":
            return self.color == "always"
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style() -> Style:
    """Return how this invocation prints."""
    context = click.get_current_context(silent=True)
    if context is None:
        return Style()
    kept: Style = context.find_root().meta.setdefault("belvedere.style", Style())
    return kept


def options() -> list[click.Parameter]:
    """Make the options that every command has: `--json`, `--jsonl`, `--color`."""

    def choose(form: str) -> Callable[[click.Context, click.Parameter, bool], None]:
        def callback(_context: click.Context, _parameter: click.Parameter, chosen: bool) -> None:  # noqa: FBT001  (click's signature)
            if chosen:
                style().form = form

        return callback

    def colour(_context: click.Context, _parameter: click.Parameter, chosen: str | None) -> None:
        if chosen:
            style().color = chosen

    return [
        click.Option(["--json"], is_flag=True, expose_value=False, is_eager=True, callback=choose("json"),
                     help="Print one JSON document."),
        click.Option(["--jsonl"], is_flag=True, expose_value=False, is_eager=True, callback=choose("jsonl"),
                     help="Print lists as one JSON document a line."),
        click.Option(["--color"], type=click.Choice(["auto", "always", "never"]), expose_value=False, is_eager=True,
                     callback=colour, help="Colours: at a terminal unless NO_COLOR is set."),
    ]


def tone(state: str) -> str:
    """Return the tone of a state word: good, working, warn, bad or neutral."""
    return _STATES.get(state, "neutral")


def state_text(state: str) -> str:
    """Write a state word with its sign, and in its colour at a terminal."""
    mood = tone(state)
    text = f"{_SIGNS[mood]} {state}"
    return click.style(text, fg=_TONES[mood]) if style().coloured() and _TONES[mood] else text


def json_text(value: Any, *, indent: bool = True) -> str:  # noqa: ANN401  (anything that msgspec can write)
    """Write a value as JSON: UTC ISO 8601 times, whole ids, secrets as a mask."""
    raw = msgspec.json.encode(value, enc_hook=_encode, order="sorted" if isinstance(value, set) else None)
    return (msgspec.json.format(raw, indent=2) if indent else raw).decode()


def _encode(value: object) -> object:
    if isinstance(value, (Secret, os.PathLike)):
        return str(value)
    message = f"{type(value).__name__} cannot be printed as JSON"
    raise NotImplementedError(message)


def show(value: Any, text: Callable[[], None] | str | None = None) -> None:  # noqa: ANN401
    """Print one thing: JSON for programs, else `text` (a string, or a function that prints).

    Args:
        value: what `--json` prints.
        text: what people see; a list of `name  value` lines of a mapping when absent.
    """
    if style().machine:
        click.echo(json_text(value, indent=style().form == "json"))
    elif callable(text):
        text()
    elif text is not None:
        click.echo(text, color=style().coloured())
    else:
        facts(value)


def show_list(
    items: Sequence[Any], columns: Mapping[str, Callable[[Any], object]], *, empty: str, total: int | None = None,
    value: Callable[[Any], Any] = lambda item: item,
) -> None:
    """Print a list: a table for people; for programs `{"items": [...]}`, or one line each with `--jsonl`.

    Args:
        items: what to print.
        columns: header to the function that gives the cell; a header `STATE` is signed and coloured.
        empty: what people see when there is nothing: a sentence with the next step.
        total: how many there are in all, when `items` is one page of them.
        value: what `--json` prints for an item.
    """
    form = style().form
    if form == "jsonl":
        for item in items:
            click.echo(json_text(value(item), indent=False))
    elif form == "json":
        document: dict[str, Any] = {"items": [value(item) for item in items]}
        click.echo(json_text(document | ({"total": total} if total is not None else {})))
    elif not items:
        note(empty)
    else:
        table(list(columns), [[cell(item) for cell in columns.values()] for item in items])
        if total is not None and total > len(items):
            note(f"{len(items)} of {total}.")


def table(headers: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Print a table: bold header, two spaces between columns; fitted to the width only at a terminal."""
    cells = [[_cell(value) for value in line] for line in lines]
    states = {at for at, header in enumerate(headers) if header.upper() == "STATE"}
    plain = [[(f"{_SIGNS[tone(c)]} {c}" if at in states and c else c) for at, c in enumerate(row)] for row in cells]
    right = {at for at in range(len(headers)) if plain and all(_numeric(row[at]) for row in plain)}
    widths = [max([len(headers[at]), *(len(row[at]) for row in plain)]) for at in range(len(headers))]
    widths = _fit(widths) if sys.stdout.isatty() else widths
    head = _line(list(headers), widths, right)
    coloured = style().coloured()
    click.echo(click.style(head, bold=True) if coloured else head, color=coloured)
    for row, raw in zip(plain, cells, strict=True):
        dressed = {at: _TONES[tone(raw[at])] for at in states} if coloured else {}
        click.echo(_line(row, widths, right, dressed), color=coloured)


def _line(
    row: Sequence[str], widths: Sequence[int], right: set[int], colours: Mapping[int, str | None] | None = None
) -> str:
    parts = []
    for at, (text, width) in enumerate(zip(row, widths, strict=True)):
        cut = text if len(text) <= width else text[: width - 1] + "…"
        padded = cut.rjust(width) if at in right else cut.ljust(width)
        colour = (colours or {}).get(at)
        parts.append(click.style(padded, fg=colour) if colour else padded)
    return _GAP.join(parts).rstrip()


def _fit(widths: list[int]) -> list[int]:
    """Shrink the widest columns until the table fits the terminal; a column keeps at least 8 characters."""
    room = shutil.get_terminal_size().columns - len(_GAP) * (len(widths) - 1)
    fitted = list(widths)
    while sum(fitted) > room and max(fitted) > 8:  # noqa: PLR2004  (stated above)
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _numeric(text: str) -> bool:
    return text in {"", "-"} or text.replace(",", "").replace(".", "").removeprefix("-").isdigit()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return iso(value)
    return " ".join(str(value).split())


def facts(values: Any) -> None:  # noqa: ANN401  (a mapping, or a struct that msgspec can read)
    """Print names and values, one a line, names aligned."""
    pairs = values if isinstance(values, Mapping) else msgspec.to_builtins(values, enc_hook=_encode)
    width = max((len(str(name)) for name in pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"{str(name).ljust(width)}{_GAP}{_cell(value)}")


def note(text: str) -> None:
    """Say something beside the answer: progress, an empty list, a warning. It goes to stderr."""
    click.echo(text, err=True)


def error_text(what: str, why: str | None = None, next_step: str | None = None) -> str:
    """Write an error in three lines: what, why, what to try; a line that would be empty is left out."""
    lines = [f"error: {what}"]
    lines += [f"  {why}"] if why else []
    lines += [f"  try: {next_step}"] if next_step else []
    return "\n".join(lines)


def print_error(error: BelvedereError) -> None:
    """Print an error of ours on stderr: as text, or as a problem document when a program reads."""
    if style().machine:
        problem = {"type": f"/problems/{error.problem}", "title": error.problem.replace("-", " "),
                   "status": error.status, "detail": error.detail} | error.extra
        click.echo(json_text(problem | ({"hint": error.hint} if error.hint else {})), err=True)
        return
    what, _, why = error.detail.partition(". ")
    next_step = error.hint
    if next_step is None and isinstance(error, (Later, TooMany)):
        next_step = f"the same again in {error.retry_in_s:.0f} s"
    text = error_text(what.removesuffix("."), why or None, next_step)
    first, _, rest = text.partition("\n")
    at_terminal = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    coloured = style().color == "always" or (style().color == "auto" and at_terminal)
    click.echo((click.style(first, fg="red", bold=True) if coloured else first) + ("\n" + rest if rest else ""),
               err=True, color=coloured)
