"""What pages say of an upload: its result in a word, why rows were left out, what to do next. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from belvedere.intake.model import Campaign, CampaignState, Upload, UploadState
from belvedere.web.formats import NONE, plural

_WORDS: Final = {
    UploadState.RECEIVED: ("new", "received"),
    UploadState.READING: ("working", "reading"),
    UploadState.STORED: ("working", "written"),
    UploadState.PARSED: ("parsed", "parsed"),
    UploadState.REFUSED: ("refused", "refused"),
    UploadState.WAITING: ("waiting", "waiting"),
    UploadState.LEFT: ("skipped", "not read"),
    UploadState.GONE: ("gone", "taken away"),
}
"""For each state: the word whose tone it has, and the word that is shown."""

CLOCK_LOST: Final = (
    "The meter had lost its clock, as after a power cut, and wrote the date at which it begins anew. Its values are "
    "stored under that date; when they were measured nobody knows."
)
"""What is said of rows without a true date."""

DOORS: Final = {
    "sftp": "Sent by SFTP", "sftpgo": "Sent by SFTPGo", "http": "Sent over HTTP", "folder": "Found in its folder",
    "command": "Given by a command",
}
"""How pages say by which door a file came."""

@dataclass(frozen=True, slots=True)
class Result:
    """An upload's result: `state` gives tone and icon, `word` is what is read, `text` what is said of it."""

    state: str
    word: str
    text: str = ""


def result(one: Upload) -> Result:
    """Return how an upload stands, in the words of the pages."""
    state, word = _WORDS[one.state]
    if one.state is not UploadState.PARSED:
        return Result(state, word, one.error or "")
    if one.same_as is not None:
        return Result("parsed", "parsed", "The same content came before: stored once.")
    why = dict(one.skipped_why)
    if one.error:
        return Result("partial", "partial", one.error)
    if "cut off" in why:
        return Result("cut off", "cut off", f"Last row cut off, {plural(one.skipped, 'row')} skipped.")
    if not one.rows:
        return Result("no rows", "no rows", "Header only.")
    return Result("parsed", "parsed", f"{plural(one.skipped, 'row')} skipped: {_most(why)}." if one.skipped else "")


def _most(why: Mapping[str, int]) -> str:
    """Say the commonest reason."""
    if not why:
        return "see its page"
    reason = max(why, key=lambda one: why[one])
    more = f", and {len(why) - 1} more" if len(why) > 1 else ""
    return f"{reason}{more}"


def upload_word(state: str) -> str:
    """Return the word of a state of uploads as pages show it."""
    return _WORDS[UploadState(state)][1]


def campaign_state(one: Campaign) -> tuple[str, str]:
    """Return how a campaign stands: the word whose tone it has, and the words that are shown."""
    if one.state is CampaignState.DELETED:
        return "off", "deleted"
    if one.error:
        return "waiting", "waiting for its store"
    if one.refused:
        return "partial", f"partial: {one.refused:,} of {one.uploads:,} refused"
    if one.open:
        return "working", f"{plural(one.open, 'file')} to read"
    return ("ready", "ready") if one.uploads else ("new", "no file yet")


def measured(first: datetime | None, last: datetime | None, lost: int = 0) -> str | Markup:
    """Write a span of time short: the second date without the year where that is the same.

    `lost` rows have no true date: the device had lost its clock. The dates are those of the others.
    """
    if first is None or last is None:
        return Markup('<span title="{}">clock lost</span>').format(CLOCK_LOST) if lost else NONE
    start, end = (f"{one.astimezone(UTC):%Y-%m-%d %H:%M}" for one in (first, last))
    shown = f"{start} to {end[5:] if start[:4] == end[:4] else end}"
    if start[:10] == end[:10]:
        shown = f"{start} to {end[11:]}"
    if not lost:
        return shown
    return Markup('{}<span class="sub" title="{}">clock lost in {}</span>').format(
        shown, CLOCK_LOST, plural(lost, "row"))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a file's way. `state` gives tone and icon."""

    state: str
    title: str
    text: str
    at: Any = None


def way(one: Upload) -> list[Step]:
    """Return the way of a file: received, read, written, moved; what has not come is planned."""
    state = one.state
    steps = [Step("done", DOORS.get(one.via, "Received"), "", one.received_at)]
    if state is UploadState.GONE:
        return [*steps, Step("gone", "Taken away", "before it was read", one.ended_at)]
    if state is UploadState.LEFT:
        return [*steps, Step("skipped", "Not read", one.error or "", None)]
    read = state in {UploadState.STORED, UploadState.PARSED, UploadState.REFUSED}
    if state is UploadState.WAITING:
        steps.append(Step("waiting", "Waiting", one.error or "", one.again_at))
    steps.append(Step(
        "done" if read else "working" if state is UploadState.READING else "planned", "Read",
        f"{plural(one.rows + one.skipped, 'row')}" if read and one.rows else "", one.started_at if read else None,
    ))
    if state is UploadState.REFUSED:
        steps.append(Step("refused", "Refused", "nothing was written", one.ended_at))
    else:
        written = state in {UploadState.STORED, UploadState.PARSED}
        text = "stored before" if one.same_as else plural(one.points, "point")
        steps.append(Step("done" if written else "planned", "Written", text if written else ""))
    steps.append(Step(
        "done" if one.moved_to else "planned", "Moved", f"to {one.moved_to}" if one.moved_to else "", one.ended_at
    ))
    return steps


_NEXT: Final = {
    "bad-meter-file": "Export the file from the device again. If many of this kind will come, ask an operator for "
    "a format that reads them; then try again.",
    "unknown-kind": "Nobody here reads this kind of file. Ask an operator for a format that does, or take it away.",
    "campaign-name": "Rename the folder by SFTP; its files are then taken by themselves.",
    "place": "Move the file to `<campaign>/<device>/` and send it there.",
    "growing": "It is taken when its sender has closed it.",
    "disk-full": "Make room on the disk. It goes on by itself.",
    "permission": "Give the user that Belvedere runs as the right to read and move it. It goes on by itself.",
    "memory": "Send it in smaller files, or let an operator raise `BELVEDERE_INTAKE_MEMORY_BYTES`.",
    "reader": "Try again. If it ends the same way, report it: the file is kept as it is.",
}


def next_step(one: Upload) -> str:
    """Say what a person can do about an upload that did not go well."""
    if one.state is UploadState.REFUSED:
        return _NEXT.get(one.code or "", "Put the file right and send it again, or try again as it is.")
    if one.state is UploadState.LEFT:
        return _NEXT.get(one.code or "", _NEXT["unknown-kind"])
    if one.state is UploadState.WAITING:
        return _NEXT.get(one.code or "", "It is tried again by itself; nothing is lost.")
    return ""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was not stored: how often, why, and the first lines where."""

    reason: str
    total: int
    lines: tuple[int, ...]
    more: bool
    what: str


def left_out(report: Mapping[str, Any]) -> list[Left]:
    """Return what a report says was left out: rows first, then values of rows that are stored."""
    found = [_left(one, "rows") for one in report.get("skipped_rows") or [] if "total" in one]
    found += [_left(one, "values") for one in report.get("skipped_values") or [] if "total" in one]
    lines: dict[str, list[int]] = {}
    for one in report.get("skipped_rows") or []:
        if "line" in one:
            lines.setdefault(one["reason"], []).append(one["line"])
    reasons: Mapping[str, int] = report.get("reasons") or {}
    found += [
        Left(reason, total, tuple(lines.get(reason, ())), total > len(lines.get(reason, ())), "rows")
        for reason, total in reasons.items()
    ]
    return found


def _left(one: Mapping[str, Any], what: str) -> Left:
    lines = tuple(one["first_lines"])
    return Left(one["reason"], one["total"], lines, one["total"] > len(lines), what)


def head_lines(head: bytes, most: int = 12) -> list[str]:
    """Return the first lines of a file as text: what is no text shows as a mark, and nothing controls the page."""
    text = head.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")[:most]
    return ["".join(one if one == "\t" or one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)[:400]
            for line in lines]
