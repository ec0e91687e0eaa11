"""How times, durations, counts, bytes and shares are written on pages. Pure.

One way each, so that a figure reads the same everywhere. What is not here: words for states (`words.py`), markup
(the templates, except for the `<time>` element, which belongs to the format).
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from markupsafe import Markup, escape

MINUS: Final = "\N{MINUS SIGN}"
NONE: Final = Markup('<span aria-hidden="true">\N{EN DASH}</span><span class="sr">none</span>')
"""What stands where there is nothing: a dash to the eye, "none" to a screen reader."""

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_TWO_MINUTES: Final = 120
_MILLION: Final = 1_000_000
_KILO: Final = 1000
_TEN: Final = 10
_HUNDRED: Final = 100


def moment(value: datetime | None, *, seconds: bool = False) -> str | Markup:
    """Write a time in full: `2026-11-20 14:32 UTC`."""
    if value is None:
        return NONE
    at = value.astimezone(UTC)
    text = at.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}">{} UTC</time>').format(_machine(at), text)


def clock(value: datetime | None) -> str | Markup:
    """Write the time of day of a time of today: `14:32`; the page says that all times are UTC."""
    if value is None:
        return NONE
    at = value.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        _machine(at), at.strftime("%Y-%m-%d %H:%M:%S"), at.strftime("%H:%M")
    )


def ago(value: datetime | None, now: datetime | None = None) -> str | Markup:
    """Write how long ago something was, below a day; the date above: `4 min ago`, `2026-11-08`."""
    if value is None:
        return NONE
    at = value.astimezone(UTC)
    passed = ((now or datetime.now(UTC)) - at).total_seconds()
    if passed >= _DAY:
        text = at.strftime("%Y-%m-%d")
    elif passed < 0:
        text = f"in {duration(-passed)}"
    else:
        text = f"{duration(_rounded(passed))} ago" if passed >= 1 else "now"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        _machine(at), at.strftime("%Y-%m-%d %H:%M:%S"), text
    )


def _rounded(seconds: float) -> float:
    """Leave out what nobody reads in an age: seconds beyond two minutes, minutes beyond a few hours."""
    if seconds < _TWO_MINUTES:
        return float(int(seconds))
    if seconds < _HOUR:
        return seconds // _MINUTE * _MINUTE
    return seconds // _HOUR * _HOUR if seconds >= 3 * _HOUR else seconds // _MINUTE * _MINUTE


def duration(seconds: float | timedelta | None) -> str | Markup:
    """Write a duration: `850 ms`, `4.2 s`, `2 min 05 s`, `3 h 12 min`, `6 d`."""
    if seconds is None:
        return NONE
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if value < 1:
        return f"{round(value * 1000)} ms"
    if value < _MINUTE:
        return f"{value:.1f} s" if value < _TEN and value != int(value) else f"{int(value)} s"
    if value < _HOUR:
        minutes, rest = divmod(int(value), _MINUTE)
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    if value < _DAY:
        hours, rest = divmod(int(value) // _MINUTE, _MINUTE)
        return f"{hours} h {rest:02d} min" if rest else f"{hours} h"
    return f"{int(value // _DAY)} d"


def milliseconds(value: float | None) -> str | Markup:
    """Write a duration that is given in milliseconds."""
    return duration(None if value is None else value / 1000)


def count(value: float | None) -> str | Markup:
    """Write a count: exact below a million, then `1.24 M` with the exact value on hover."""
    if value is None:
        return NONE
    if abs(value) < _MILLION:
        return f"{int(value):,}".replace("-", MINUS)
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return Markup('<span title="{}">{}</span>').format(f"{int(value):,}", f"{value / size:.3g} {name}")
    return str(value)


def measure(value: float | None, unit: str = "", decimals: int | None = None) -> str | Markup:
    """Write a figure with its unit: a true minus, a space before the unit, percent close."""
    if value is None:
        return NONE
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
    elif value == int(value) and abs(value) < 1e15:  # noqa: PLR2004  (floats are exact below)
        text = f"{int(value):,}"
    else:
        text = f"{value:.3e}" if abs(value) < 1e-4 else f"{value:,.6g}"  # noqa: PLR2004  (below, digits would be zeros)
    text = text.replace("-", MINUS)
    if not unit:
        return text
    return f"{text}%" if unit == "%" else f"{text} {unit}"


def size(value: float | None) -> str | Markup:
    """Write bytes in SI units: `26.7 kB`."""
    if value is None:
        return NONE
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(amount) < _KILO or unit == "TB":
            if unit == "B":
                return f"{int(amount)} B"
            return f"{amount:.1f} {unit}" if amount < _HUNDRED else f"{amount:.0f} {unit}"
        amount /= _KILO
    return f"{value} B"


def plural(number: int, one: str, many: str = "") -> str:
    """Write a count with its noun: `1 tenant`, `7 tenants`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short_id(value: UUID | str) -> Markup:
    """Write the last eight digits of an id: ids of one day share the first; the whole is the title."""
    text = str(value)
    return Markup('<code title="{}">\N{HORIZONTAL ELLIPSIS}{}</code>').format(text, text.replace("-", "")[-8:])


def breakable(text: str) -> Markup:
    """Let a long name in code face wrap after its joints instead of anywhere."""
    escaped = str(escape(text))
    for joint in ("__", "/", ".", "-"):
        escaped = escaped.replace(joint, f"{joint}\N{ZERO WIDTH SPACE}") if joint != "-" else escaped
    return Markup(escaped.replace("\N{ZERO WIDTH SPACE}", "<wbr>"))  # noqa: S704  (escaped three lines above)


def joints(text: str) -> Markup:
    """Let a file's name wrap after its underlines."""
    return Markup(str(escape(text)).replace("_", "_<wbr>"))  # noqa: S704  (escaped here)


def _machine(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


FILTERS: Final = {
    "moment": moment,
    "clock": clock,
    "ago": ago,
    "duration": duration,
    "milliseconds": milliseconds,
    "count": count,
    "measure": measure,
    "size": size,
    "short_id": short_id,
    "breakable": breakable,
    "joints": joints,
}
"""The filters of the templates, by name."""
