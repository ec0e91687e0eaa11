"""How an answer's columns become InfluxDB's JSON, as Grafana 11.0.0's InfluxQL data source reads it. Pure.

What its reader does with them (seen, and read in its source): a first column that is called `time` exactly is the
rows' time in milliseconds; a row whose time it cannot read is dropped from that column alone, which breaks a table;
tags of a series come back as columns of a table and as labels of a time series.

What is not here: asking PostgreSQL (`postgres.py`).
"""

import json
from collections.abc import Sequence
from typing import Final

from belvedere.gateway.model import Column, Shape

TIMES: Final = frozenset({1114, 1184})
"""Types `timestamp` and `timestamptz`; one without a zone is read as UTC, as everywhere here."""

_NUMBERS: Final = frozenset({20, 21, 23, 700, 701, 1700})
_SERIES: Final = "metric"
_MOST_COLUMNS: Final = 500


def shape_of(columns: Sequence[Column], *, table: bool) -> Shape:
    """Lay out an answer.

    A column `time` that holds moments goes first and is the rows' time. A text column `metric` beside it divides
    the rows into series when all others are numbers, as in Grafana's PostgreSQL data source. For a `table` neither
    is done: its rows may have no time.

    Raises:
        ValueError: there are more columns than a panel can show.
    """
    if len(columns) > _MOST_COLUMNS:
        message = f"The answer has {len(columns)} columns; {_MOST_COLUMNS} can be shown."
        raise ValueError(message)
    places = range(len(columns))
    time = None if table else next((i for i in places if columns[i].name == "time" and columns[i].type in TIMES), None)
    tag = None
    if time is not None:
        others = [i for i in places if i != time]
        named = [i for i in others if columns[i].name == _SERIES and columns[i].type not in _NUMBERS]
        if len(named) == 1 and len(others) > 1 and all(columns[i].type in _NUMBERS for i in others if i != named[0]):
            tag = named[0]
    order = (*([time] if time is not None else []), *(i for i in places if i not in (time, tag)))
    return Shape(order, tuple(_name(columns[i], i == time, time, table=table) for i in order), time, tag)


def _name(column: Column, is_time: bool, time: int | None, *, table: bool) -> str:  # noqa: FBT001  (told apart by place)
    """Return a column's name; one that Grafana would take for the rows' time, and is not, gets another."""
    if is_time:
        return "time"
    if column.name.lower() != "time":
        return column.name
    return "Time" if table and time is None else f"{column.name} (value)"


def opening() -> bytes:
    """Begin an answer."""
    return b'{"results":[{"statement_id":0,"series":['


def series(shape: Shape, tag: str | None, *, first: bool) -> bytes:
    """Begin a series; its rows follow, divided by commas."""
    head: dict[str, object] = {"name": "answer"}
    if shape.tag is not None:
        head["tags"] = {_SERIES: tag or ""}
    head["columns"] = shape.names
    return (b"" if first else b",") + json.dumps(head)[:-1].encode() + b',"values":['


def closing(problem: str = "") -> bytes:
    """End an answer; with a problem, Grafana shows that instead of half of the rows."""
    return b"]" + (f',"error":{json.dumps(problem)}' if problem else "").encode() + b"}]}\n"


def failed(problem: str) -> bytes:
    """Write the answer to a query that went wrong."""
    return (json.dumps({"results": [{"statement_id": 0, "error": problem}]}) + "\n").encode()


def measurements(names: Sequence[str]) -> bytes:
    """Write the answer to `SHOW MEASUREMENTS`: the names of tables. Grafana's test of a data source asks it."""
    found = [{"name": "measurements", "columns": ["name"], "values": [[name] for name in names]}] if names else []
    return (json.dumps({"results": [{"statement_id": 0, **({"series": found} if found else {})}]}) + "\n").encode()
