"""Which tables the sample tenant has: their statements and their rows. Pure but for reading this package's figures."""

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Final, LiteralString

from belvedere.sample.generator import Line, compute_jobs, runs, timing_paths, violations

_TIMING: Final[LiteralString] = (
    "(run_at timestamptz NOT NULL, startpoint text, endpoint text NOT NULL, path_group text, clock text, corner text, "
    "slack_ns double precision, arrival_ns double precision, required_ns double precision, levels int)"
)
_TIMING_TEXT: Final[LiteralString] = (
    "(startpoint text, endpoint text, path_group text, clock text, slack text, arrival text, required text, "
    "levels text)"
)
_DRC: Final[LiteralString] = (
    "(run_at timestamptz NOT NULL, violation_type text NOT NULL, layer text, x1 double precision, y1 double precision, "
    "x2 double precision, y2 double precision, cell text, net1 text, net2 text)"
)
_METRICS: Final[LiteralString] = (
    "(run_at timestamptz NOT NULL, commit text, platform text NOT NULL, design text NOT NULL, metric text NOT NULL, "
    "value double precision)"
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table: the kind of store it stands in, the definition after its name, its rows. A view has none."""

    kind: str
    name: LiteralString
    definition: LiteralString
    rows: Callable[[datetime], Iterable[Line]] | None = None
    view: bool = False


def metrics(*designs: tuple[str, str]) -> Callable[[datetime], Iterable[Line]]:
    """Return the published run metrics of some platform and design pairs, as they were, dates included."""

    def rows(_now: datetime) -> Iterator[Line]:
        packed = files("belvedere.sample.figures").joinpath("orfs_runs.csv.gz").read_bytes()
        lines = csv.reader(io.StringIO(gzip.decompress(packed).decode()))
        next(lines)
        return (tuple(line) for line in lines if not designs or (line[2], line[3]) in designs)

    return rows


def _paths(seed: str, count: int, paths: int, worst_ns: float) -> Callable[[datetime], Iterable[Line]]:
    return lambda now: timing_paths(seed, runs(now - timedelta(hours=2), count, 2.5), paths, worst_ns=worst_ns)


def _boxes(seed: str, count: int, first: int) -> Callable[[datetime], Iterable[Line]]:
    return lambda now: violations(seed, runs(now - timedelta(hours=1), count, 3), first)


def _imported(now: datetime) -> Iterator[Line]:
    """A CSV import as spreadsheets leave it: everything is text and some cells hold no number."""
    for index, line in enumerate(timing_paths("ibex/import", [now], 900, worst_ns=-0.9, corners=False)):
        _run, start, end, group, clock, slack, arrival, required, levels = line
        broken = index % 150 == 0
        yield (start, end, group, clock, "N/A" if broken else f"{slack}", f"{arrival}", f"{required}", f"{levels}")


TABLES: Final = (
    Table("QOR", "orfs_runs", _METRICS, metrics()),
    Table("QOR", "ibex_sky130hd_runs", _METRICS, metrics(("sky130hd", "ibex"))),
    Table("QOR", "jpeg_nangate45_runs", _METRICS, metrics(("nangate45", "jpeg"))),
    Table("timing_report", "swerv_setup_paths", _TIMING, _paths("swerv/setup", 14, 700, -1.1)),
    Table("timing_report", "ibex_setup_paths", _TIMING, _paths("ibex/setup", 12, 500, -0.8)),
    Table("timing_report", "jpeg_setup_paths", _TIMING, _paths("jpeg/setup", 9, 400, -0.5)),
    Table("timing_report", "ibex_paths_csv", _TIMING_TEXT, _imported),
    Table("drc", "swerv_route_drc", _DRC, _boxes("swerv/drc", 8, 1600)),
    Table("drc", "ibex_route_drc", _DRC, _boxes("ibex/drc", 6, 700)),
    Table(
        "drc", "drc_by_rule",
        "AS SELECT run_at, violation_type AS rule, layer, count(*) AS violations FROM swerv_route_drc GROUP BY 1, 2, 3",
        view=True),
    Table(
        "QOR", "compute_jobs",
        "(submitted_at timestamptz NOT NULL, tool text, queue text, host text, cores int, memory_gb double precision, "
        "runtime_min double precision)", lambda now: compute_jobs("jobs", now, 28)),
    Table(
        "timing_report", "swerv_failing_paths",
        "AS SELECT * FROM swerv_setup_paths WHERE slack_ns < 0", view=True),
)
"""In the order in which they are made; a view stands after what it reads."""
