"""How one column is read: as a number, a time or a text, without any row being able to break the query.

Pure. Text is cast only where it has the exact shape of what it is cast to, since a cast inside CASE is the one way
that needs no function in the tenant's database (PostgreSQL 16's pg_input_is_valid is not in 15). What has not
the shape reads as NULL and is counted. What is not here: whole queries (`postgres.py`).
"""

from typing import Final, LiteralString

from psycopg import sql

from belvedere.workspaces.model import Field, Stored

_MOST_TEXT: Final = 500
"""Characters of a text that are shown; a cell is not the place for more."""

NUMBER: Final = r"^[[:space:]]*[+-]?([0-9]{1,60}([.][0-9]{0,60})?|[.][0-9]{1,60})([eE][+-]?[0-9]{1,2})?[[:space:]]*$"
"""Text that float8 takes for sure: at most 60 digits on each side and an exponent of two, so it cannot overflow."""

_YEAR: Final = "(19|20|21)[0-9]{2}"
_LEAP: Final = "((19|20|21)(0[48]|[2468][048]|[13579][26])|2000)"
_DAY: Final = (
    f"({_YEAR}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
    f"02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?"
_ZONE: Final = "[[:space:]]?(Z|z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
PLAIN_TIME: Final = f"^[[:space:]]*{_DAY}([T ]{_CLOCK})?[[:space:]]*$"
"""An ISO date, or date and time without a zone; read as UTC."""
ZONED_TIME: Final = f"^[[:space:]]*{_DAY}[T ]{_CLOCK}{_ZONE}[[:space:]]*$"
"""An ISO date and time with its zone."""

_NUMBERS: Final = frozenset({"smallint", "integer", "bigint", "real", "double precision", "numeric"})
_TEXTS: Final = frozenset({"text", "character varying", "character", "name", "bpchar"})
_TIMES: Final[dict[str, Stored]] = {
    "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp", "date": "date",
    "timestamptz": "timestamptz", "timestamp": "timestamp",
}


def stored_as(type_name: str) -> Stored:
    """Tell how a column of a PostgreSQL type (as `format_type` writes it) is stored.

    Only names of built-in types are taken at their word. Everything else, a tenant's own `numeric` included (it
    is written with its schema), is `other` and is read as text.
    """
    head, _, tail = type_name.strip().partition("(")
    plain = " ".join((head + tail.partition(")")[2]).split())
    if plain in _NUMBERS:
        return "number"
    if plain in _TEXTS:
        return "text"
    if plain == "boolean":
        return "boolean"
    return _TIMES.get(plain, "other")


def expression(field: Field, column: sql.Composable) -> sql.Composable:
    """Write the reading of one column: float8, timestamptz or text; NULL where it cannot be read so."""
    if field.read == "number":
        return _number(field.stored, column)
    if field.read == "time":
        return _time(field.stored, column)
    text = as_text(field.stored, column)
    if field.part is None:
        return text
    return _write(
        "nullif(split_part({}, {}, {}), '')", text, sql.Literal(field.part[0]), sql.Literal(field.part[1]))


def is_cast(field: Field) -> bool:
    """Tell whether rows may be left out because the text of this column does not have the asked shape."""
    return field.read != "text" and field.stored in ("text", "other")


def as_text(stored: Stored, column: sql.Composable) -> sql.Composable:
    """Write a column as text. Types that are not built in go through their output function by `format`."""
    if stored == "other":
        return _write("CASE WHEN {0} IS NOT NULL THEN left(format('%s', {0}), 500) END", column)
    if stored == "timestamptz":
        return _write("to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')", column)
    # A value may be a gigabyte, and a view makes thousands of them from nothing: what is not shown must not come here.
    # "C": patterns do not work with a tenant's own collation that takes different texts for equal.
    return _write('left({}::text, {}) COLLATE "C"', column, sql.Literal(_MOST_TEXT))


def _number(stored: Stored, column: sql.Composable) -> sql.Composable:
    if stored == "number":
        # The bounds drop NaN and infinity, which no axis can show, and what float8 cannot hold.
        return _write("CASE WHEN {0} BETWEEN -1e300 AND 1e300 THEN {0}::float8 END", column)
    if stored == "boolean":
        return _write("{}::int::float8", column)
    text = as_text(stored, column)
    return _write("CASE WHEN {0} ~ {1} THEN {0}::float8 END", text, sql.Literal(NUMBER))


def _time(stored: Stored, column: sql.Composable) -> sql.Composable:
    if stored == "timestamptz":
        return _within(column)
    if stored in ("timestamp", "date"):
        # Before the cast: a date may lie beyond what a timestamp holds.
        return _write(
            "CASE WHEN {0} >= '1900-01-01' AND {0} < '2200-01-01' THEN {0}::timestamp AT TIME ZONE 'UTC' END", column)
    text = as_text(stored, column)
    return _write(
        "CASE WHEN {0} ~ {1} THEN replace({0}, ',', '.')::timestamptz "
        "WHEN {0} ~ {2} THEN replace({0}, ',', '.')::timestamp AT TIME ZONE 'UTC' END",
        text, sql.Literal(ZONED_TIME), sql.Literal(PLAIN_TIME))


def _within(moment: sql.Composable) -> sql.Composable:
    """Drop infinity and years that no calendar of ours can hold."""
    return _write(
        "CASE WHEN {0} >= '1900-01-01 00:00:00Z'::timestamptz AND {0} < '2200-01-01 00:00:00Z'::timestamptz "
        "THEN {0} END", moment)


def _write(statement: LiteralString, *parts: sql.Composable) -> sql.Composed:
    return sql.SQL(statement).format(*parts)
