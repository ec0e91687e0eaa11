"""From a relation to the dashboard it should have: profile, classify, bind; every way it can fail has a sentence.

What a relation does while it is read is said about this relation alone: a tenant's function can end its session or
raise any error, one of a server that stops too. Only who does not get in at all learns something about the store.

What is not here: comparing with what is stored and publishing (`service.py`).
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import psycopg
from msgspec.structs import replace

from belvedere.dashboards import postgres
from belvedere.dashboards.bind import bind
from belvedere.dashboards.campaigns import Measured
from belvedere.dashboards.classify import Classification, Profile, Shape, asked_values, classify
from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.store import Desired
from belvedere.dashboards.template import Template, catalogue, find
from belvedere.kernel.errors import Later, TooMany
from belvedere.workspaces.model import Model
from belvedere.workspaces.viewer.store import is_lost, words


class Column(Protocol):
    """A column as the stores room describes it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def type(self) -> str:
        """Its type, as `format_type` writes it."""
        ...


class Seen(Protocol):
    """A relation as the stores room describes it."""

    @property
    def oid(self) -> int:
        """Its number; a table made anew has another."""
        ...

    @property
    def schema(self) -> str:
        """Its schema."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def kind(self) -> str:
        """What it is: table, view and so on."""
        ...

    @property
    def columns(self) -> tuple[Any, ...]:
        """Its columns."""
        ...

    @property
    def rows_estimate(self) -> int | None:
        """How many rows the server believes it has."""
        ...

    @property
    def size_bytes(self) -> int:
        """How big it is, by the watch's last full look; in whole pages."""
        ...

    @property
    def readable(self) -> bool:
        """Whether the tenant's reader may select from it."""
        ...


class Reader(Protocol):
    """The way in as the tenant's reader."""

    def __call__(self, store_id: UUID, /, *, within_s: float) -> Any:  # noqa: ANN401  (a context manager of a connection)
        """Open a session whose statements take so many seconds at most."""
        ...


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look led to. `away`: nobody got in, which says nothing about the relation."""

    desired: Desired
    away: bool

    @property
    def failed(self) -> bool:
        """Whether this relation could not be read, while its store answered."""
        return not self.away and self.desired.state is not DashboardState.READY


def shape_of(relation: Seen, database: str, store_kind: str) -> Shape:
    """Describe a relation as the classifier takes it."""
    columns = tuple((str(column.name), str(column.type)) for column in relation.columns)
    return Shape(database, relation.schema, relation.name, columns, relation.kind, store_kind)


def fingerprint(relation: Seen, override: str | None) -> str:
    """Name what the answer depends on besides the rows: columns, override, and the catalogue of this program."""
    parts = [
        str(relation.oid), relation.kind, override or "", _CATALOGUE,
        *(f"{column.name}\0{column.type}" for column in relation.columns),
    ]
    return hashlib.sha256("\1".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def look(
    reader: Reader, relation: Seen, *, tenant: int, store_id: UUID, database: str, store_kind: str,
    override: str | None, within_s: float, measured: Measured | None = None,
) -> Looked | None:
    """Say what dashboard a relation should have; None when it vanished while it was looked at.

    `measured` is what files brought to it: rows before the first of them are of a clock that was lost.
    """
    shape = shape_of(relation, database, store_kind)
    seen, state, message, inside = Profile(), DashboardState.READY, "", False
    reach = since = until = ""
    clipped = False
    try:
        with reader(store_id, within_s=within_s) as connection:
            inside = True
            try:
                seen = postgres.profile(
                    connection, shape, asked_values(shape), rows_estimate=relation.rows_estimate,
                    timeout_ms=round(within_s * 1000))
                _, model = _drawn(shape, seen, override)
                most = _template(model).most_values
                if most:
                    since, until, clipped = postgres.window(
                        connection, model, most, first=measured.first if measured else None)
                else:
                    reach = postgres.reach(connection, model)
            except psycopg.Error as error:
                if is_lost(error):
                    raise
                if isinstance(error, _GONE) and not postgres.stands(connection, relation.oid):
                    return None
                state, message = _meaning(error)
    except (Later, TooMany) as error:
        state, message = DashboardState.WAITING, error.detail
        if error.problem == _ENDED:
            state, message = DashboardState.NEEDS_YOU, _TOO_LONG
    except psycopg.OperationalError as error:
        state, message = DashboardState.WAITING, words(error)
    found, model = _drawn(shape, seen, override)
    model = replace(
        model, reach=reach, since=since, until=until, clipped=clipped, gap_s=measured.gap_s if measured else 0)
    desired = Desired(
        tenant, store_id, store_kind, relation.schema, fingerprint(relation, override), found.chosen.subject, model,
        found, state, message, _size(relation, model), relation.oid)
    return Looked(desired, away=bool(message) and not inside)


def _drawn(shape: Shape, seen: Profile, override: str | None) -> tuple[Classification, Model]:
    """Choose a template for what was seen, and make the model of it."""
    found = classify(shape, seen, override=override)
    template = find(found.chosen.template) or catalogue()[-1]
    return found, bind(template, shape, found.chosen, guess=found.guess)


def _template(model: Model) -> Template:
    return find(model.template) or catalogue()[-1]


def _size(relation: Seen, model: Model) -> int | None:
    """Return the size by which a later look sees that a range has to grow; None where it need not."""
    return relation.size_bytes if model.time and not model.default_range else None


def _meaning(error: psycopg.Error) -> tuple[DashboardState, str]:
    """Tell what an error of the relation itself means for its dashboard."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        # A slow view is judged by its columns alone; its panels have more time.
        return DashboardState.READY, ""
    if isinstance(error, psycopg.errors.UndefinedColumn):
        return DashboardState.WAITING, "Its columns changed while it was looked at."
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return DashboardState.WAITING, "Somebody holds a lock on it."
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return DashboardState.NEEDS_YOU, f"The tenant's reader may not read it: {words(error)}."
    return DashboardState.NEEDS_YOU, f"It cannot be read: {words(error)}."


_ENDED: Final = "query-too-long"
_TOO_LONG: Final = (
    "Reading it took too long and could not be stopped, so its session was ended. Make it faster. It is looked at "
    "again by itself, within the hour; once it is made anew, at once."
)
_GONE: Final = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
_CATALOGUE: Final = hashlib.sha256(msgspec.json.encode(catalogue())).hexdigest()[:16]
