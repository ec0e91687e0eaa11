"""METRICS2.1 in JSON, as OpenROAD's flows write it: one row a metric of a run. Pure.

Names are `<stage>__<what>__...` (IEEE CEDA METRICS2.1). One object is one run; a list of objects, or objects by run,
are several. Nested objects are taken as parts of names. What the run says of itself (`run__flow__design`,
`run__flow__platform`, `run__flow__generate_date`, a commit) stands in every row of it.

What is not here: other JSON (`tabular.py`).
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from belvedere.intake.reports.model import Collector, Part, Read, Table, cell

MOST_DEPTH: Final = 8
"""Objects within objects that are followed."""

_LONGEST_NAME: Final = 300
_COLUMNS: Final = (
    ("run_at", "timestamptz"), ("commit", "text"), ("platform", "text"), ("design", "text"), ("metric", "text"),
    ("value", "double precision"),
)
_DESIGN: Final = ("run__flow__design", "design", "design_name", "flow__design")
_PLATFORM: Final = ("run__flow__platform", "platform", "pdk", "flow__platform")
_COMMIT: Final = (
    "run__flow__scripts_commit", "run__flow__commit", "commit", "commit_sha", "git_commit",
    "run__flow__openroad_commit",
)
_WHEN: Final = ("run__flow__generate_date", "run_at", "date", "timestamp", "run__flow__date")
_FORMS: Final = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d/%m/%Y %H:%M")


def is_metrics(document: object) -> bool:
    """Tell whether a document is of METRICS2.1: most names of a run have stages."""
    return any(_stages(run) for run in _runs(document))


def parse(document: object, name: str, read: Read, *, at: datetime | None) -> Iterator[Part]:
    """Yield the metrics of a document as rows of the table `name`; `at` is when, for runs that do not say."""
    rows = Collector(Table("QOR", name, _COLUMNS), read)
    for run in _runs(document):
        flat = dict(_flat(run))
        own = (
            _moment(_first(flat, _WHEN)) or at, cell(_text(_first(flat, _COMMIT))),
            cell(_text(_first(flat, _PLATFORM))), cell(_text(_first(flat, _DESIGN))),
        )
        for metric, value in flat.items():
            number = _number(value)
            if number is None:
                if "__" in metric and not metric.startswith("run__") and value not in (None, "", "N/A"):
                    read.aside.put(0, "a metric that is no number", f"{metric} = {value}")
                continue
            if "__" not in metric:
                continue
            when = own[0].isoformat() if own[0] else None
            part = rows.add((when, own[1], own[2], own[3], cell(metric[:_LONGEST_NAME]), number))
            if part is not None:
                yield part
        _note(read, own[0])
    last = rows.end()
    if last is not None:
        yield last


def _note(read: Read, when: datetime | None) -> None:
    if when is not None:
        read.first_at = min(read.first_at or when, when)
        read.last_at = max(read.last_at or when, when)


def _runs(document: object) -> list[Mapping[str, Any]]:
    """Return the runs of a document: itself, its items, or its values."""
    if isinstance(document, list):
        return [one for one in document if isinstance(one, dict)]
    if not isinstance(document, dict):
        return []
    if _stages(document):
        return [document]
    return [one for one in document.values() if isinstance(one, dict) and _stages(one)]


def _stages(run: Mapping[str, Any]) -> bool:
    names = [name for name, _ in _flat(run)]
    return bool(names) and sum("__" in name for name in names) * 2 >= len(names)


def _flat(run: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in run.items():
        # A long name within which there are many would be copied for each of them.
        name = f"{before[:_LONGEST_NAME]}__{key}" if before else str(key)
        if isinstance(value, dict):
            if depth < MOST_DEPTH:
                yield from _flat(value, name, depth + 1)
        elif not isinstance(value, list):
            yield name, value


def _first(flat: Mapping[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401  (whatever JSON holds)
    return next((flat[name] for name in names if flat.get(name) not in (None, "")), None)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _number(value: object) -> float | None:
    """Return a number; flows write some of them as text, with a sign of percent or infinity behind them."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value.strip().removesuffix("%")) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    text = value.strip()
    found: datetime | None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = next((one for form in _FORMS if (one := _by(form, text)) is not None), None)
    if found is None:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _by(form: str, text: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
