"""Who will run a statement, and what that means for its names, values, time range and variables.

`Values` is the viewer's: everything is known, so it stands in the statement as a quoted value. Grafana's dialect,
with macros and template variables, is in `dashboards/to_grafana.py`. What is not here: the statements (`postgres.py`).
"""

from datetime import datetime
from typing import Final, LiteralString, Protocol

from psycopg import sql

from belvedere.workspaces.model import Variable

_STEPS_S: Final = (
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000,
)
"""Widths of a time bucket, in seconds, from which the smallest that is wide enough is taken."""

_UNBOUND: Final = 1_000_000_000


def write(statement: LiteralString, *parts: sql.Composable, **named: sql.Composable) -> sql.Composed:
    """Fill a statement of ours with quoted parts."""
    return sql.SQL(statement).format(*parts, **named)


class Dialect(Protocol):
    """Who will run the statement: the viewer, with values, or Grafana, with macros and variables."""

    most_points: int

    def name(self, identifier: str) -> sql.Composable:
        """Quote an identifier."""
        ...

    def value(self, value: str | float) -> sql.Composable:
        """Quote a value."""
        ...

    def between(self, moment: sql.Composable) -> sql.Composable | None:
        """Write the condition of the time range, or None for all of it."""
        ...

    def chosen(self, column: sql.Composable, variable: Variable) -> sql.Composable | None:
        """Write the condition of a variable, or None when it filters nothing."""
        ...

    def runs(self, variable: Variable) -> sql.Composable:
        """Write how many last runs to show."""
        ...

    def bucket(self, moment: sql.Composable) -> tuple[sql.Composable, sql.Composable]:
        """Write the beginning of the bucket of a moment and its width in seconds; `span` has n, low and high."""
        ...


class Values:
    """The viewer's dialect: everything is known and stands in the statement as a quoted value."""

    def __init__(
        self, start: datetime | None = None, end: datetime | None = None, chosen: dict[str, str] | None = None,
        most_points: int = 1000,
    ) -> None:
        """Take the range and the values chosen; None means all. Points are per series."""
        self._start, self._end, self._chosen = start, end, chosen or {}
        self.most_points = most_points

    def name(self, identifier: str) -> sql.Composable:
        """Quote an identifier."""
        return sql.Identifier(identifier)

    def value(self, value: str | float) -> sql.Composable:
        """Quote a value."""
        return write("{}::text", sql.Literal(value)) if isinstance(value, str) else write(
            "({})", sql.Literal(value))

    def between(self, moment: sql.Composable) -> sql.Composable | None:
        """Write the condition of the time range."""
        bounds = [
            write("{} >= {}::timestamptz", moment, sql.Literal(self._start.isoformat())) if self._start else None,
            write("{} <= {}::timestamptz", moment, sql.Literal(self._end.isoformat())) if self._end else None,
        ]
        found = [bound for bound in bounds if bound is not None]
        return sql.SQL(" AND ").join(found) if found else None

    def chosen(self, column: sql.Composable, variable: Variable) -> sql.Composable | None:
        """Write the condition of a variable that has a value."""
        value = self._chosen.get(variable.name)
        return None if value is None else write("{} = {}", column, self.value(value))

    def runs(self, variable: Variable) -> sql.Composable:
        """Write how many last runs to show; what is no number means all."""
        value = self._chosen.get(variable.name, variable.default)
        return sql.Literal(int(value) if value.isdecimal() else _UNBOUND)

    def bucket(self, moment: sql.Composable) -> tuple[sql.Composable, sql.Composable]:
        """Keep every moment while there are few; else the first width with at most `most_points` buckets."""
        width = write(
            "(SELECT CASE WHEN n > {0} THEN (SELECT min(w) FROM unnest({1}::int[]) AS w "
            "WHERE w >= (high - low) / {0}) END FROM span)",
            sql.Literal(self.most_points), sql.Literal(list(_STEPS_S)))
        return write(
            "CASE WHEN {0} IS NULL THEN {1} ELSE to_timestamp(floor(extract(epoch FROM {1}) / {0}) * {0}) END",
            width, moment), width
