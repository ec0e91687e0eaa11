"""The built-in viewer: a dashboard's layout, one panel's data, a variable's options.

Everything is asked as the tenant's reader. A panel that fails says so in its own place; the rest of the page
stands. What is not here: the SQL, the shaping (`data.py`), and which panels there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg
from msgspec.structs import replace
from psycopg import sql

from belvedere.kernel.actor import Actor
from belvedere.kernel.clock import Now, monotonic_s, utc_now
from belvedere.kernel.errors import Later, NotFound, Rejected, TooMany
from belvedere.workspaces.dialect import Values
from belvedere.workspaces.model import ALL, Model, Panel, Query, Variable
from belvedere.workspaces.port import Readers
from belvedere.workspaces.postgres import compose, compose_defaults, compose_left_out, compose_options, roles_of
from belvedere.workspaces.viewer import data, span, store
from belvedere.workspaces.viewer.model import PanelData, ViewLayout, ViewRow, ViewVariable

_FRESH_S: Final = 3.0
_MOST_CACHED: Final = 2000
_LONGEST_VALUE: Final = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored dashboard as the viewer needs it. `version` moves whenever the model does."""

    dashboard_id: UUID
    store_id: UUID
    model: Model
    layout: ViewLayout
    version: int


class Load(Protocol):
    """Find a dashboard for somebody who may see it. The dashboards room gives this."""

    def __call__(self, actor: Actor, dashboard_id: UUID) -> Shown:
        """Return it, or raise NotFound."""
        ...


class Viewer:
    """Draws dashboards for people and for previews."""

    def __init__(self, *, load: Load, readers: Readers, now: Now = utc_now) -> None:
        """Take the way to dashboards and the way to tenants' rows."""
        self._load = load
        self._readers = readers
        self._now = now
        self._cache = _Cache()

    def layout(
        self, actor: Actor, dashboard_id: UUID | str, *, variables: Mapping[str, str] | None = None
    ) -> ViewLayout:
        """Return a dashboard's layout, its variables with their options and values.

        When the store does not answer, the layout stands with no options; the panels say why.

        Raises:
            NotFound: there is no such dashboard for this actor.
        """
        shown = self._load(actor, _identifier(dashboard_id))
        chosen = _checked(shown.model, variables or {})
        if not shown.model.variables:
            return shown.layout
        key = ("layout", shown.dashboard_id, shown.version, tuple(sorted(chosen.items())))
        resolved: list[ViewVariable] = self._cache.get(key, lambda: self._variables(shown, chosen))
        unit = time_unit(shown.model, {variable.name: variable.value for variable in resolved})
        return replace(shown.layout, variables=resolved, rows=_with_unit(shown, unit))

    def options(self, actor: Actor, dashboard_id: UUID | str, variable: str) -> list[str]:
        """Return what may be chosen for one variable.

        Raises:
            NotFound: there is no such dashboard or variable for this actor.
        """
        found = next((v for v in self.layout(actor, dashboard_id).variables if v.name == variable), None)
        if found is None:
            raise NotFound
        return found.options

    def panel(
        self,
        actor: Actor,
        dashboard_id: UUID | str,
        panel_id: str,
        *,
        start: str | None = None,
        end: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> PanelData:
        """Return one panel's data, or the sentence that stands for it.

        Raises:
            NotFound: there is no such dashboard or panel for this actor.
            Rejected: a time is none, or the end is before the start.
        """
        shown = self._load(actor, _identifier(dashboard_id))
        panel = shown.model.panel(panel_id)
        if panel is None:
            message = f"This dashboard has no panel `{panel_id[:60]}`."
            raise NotFound(message)
        now = self._now()
        since, until = span.parse(start, now), span.parse(end, now)
        if since is None and until is None:
            since, until = self._first(shown.model)
        if since and until and since > until:
            message = "End is before start. Swap them."
            raise Rejected(message, field="to")
        chosen = _checked(shown.model, variables or {})
        key = ("panel", shown.dashboard_id, shown.version, panel_id, start, end, tuple(sorted(chosen.items())))
        answer: PanelData = self._cache.get(key, lambda: self._asked(shown, panel, since, until, chosen))
        return answer

    def _asked(
        self, shown: Shown, panel: Panel, since: datetime | None, until: datetime | None, chosen: dict[str, str]
    ) -> PanelData:
        if panel.query is None:
            return data.panel_data(shown.model, panel, [], "")
        try:
            with self._readers.reader(shown.store_id) as connection:
                try:
                    return self._drawn(connection, shown, panel, bounds=(since, until), chosen=chosen)
                except psycopg.Error as error:
                    if store.is_lost(error):
                        raise
                    return data.failed(panel, store.words(error))
        except (psycopg.Error, Later, TooMany, NotFound, store.TooLarge) as error:
            return data.failed(panel, store.words(error) if isinstance(error, psycopg.Error) else error.detail)

    def _drawn(
        self, connection: psycopg.Connection[Any], shown: Shown, panel: Panel, *,
        bounds: tuple[datetime | None, datetime | None], chosen: dict[str, str],
    ) -> PanelData:
        values = self._values(connection, shown, chosen)
        rows = store.run(connection, compose(shown.model, panel.query or Query("rows"), Values(*bounds, values)))
        answer = data.panel_data(shown.model, panel, rows, time_unit(shown.model, values))
        if answer.state == "empty":
            return answer if answer.message else replace(answer, message=_why_empty(shown.model, *bounds, values))
        return self._with_left_out(connection, shown, panel, answer)

    def _with_left_out(
        self, connection: psycopg.Connection[Any], shown: Shown, panel: Panel, answer: PanelData
    ) -> PanelData:
        """Say how many rows of the whole table could not be read for this panel, if any."""
        roles = roles_of(shown.model, panel.query) if panel.query else set()
        statement = compose_left_out(shown.model, roles, Values())
        if statement is None:
            return answer
        key = ("left out", shown.dashboard_id, shown.version, tuple(sorted(roles)))
        counted = self._cache.get(key, lambda: store.run(connection, statement))[0]
        sentences = [
            f"{counted[role]:,} of {counted['all_rows']:,} rows are left out: "
            f"{shown.model.fields[role].column} is no {shown.model.fields[role].read} there."
            for role in sorted(roles) if counted.get(role)
        ]
        if not sentences:
            return answer
        return replace(answer, state="partial", message=" ".join(sentences))

    def _first(self, model: Model) -> tuple[datetime | None, datetime | None]:
        """Return the range that is shown when nobody asked for one."""
        now = self._now()
        return span.parse(model.since, now), span.parse(model.until, now) if model.clipped else None

    def _values(
        self, connection: psycopg.Connection[Any], shown: Shown, chosen: Mapping[str, str]
    ) -> dict[str, str]:
        """Complete what was chosen: `All` drops out, what must have a value gets that of the last run."""
        values = {name: value for name, value in chosen.items() if not _is_all(shown.model.variable(name), value)}
        open_ones = [v for v in shown.model.variables if v.role and not v.optional and v.name not in values]
        if open_ones:
            key = ("defaults", shown.dashboard_id, shown.version, tuple(sorted(values.items())))
            values |= self._cache.get(key, lambda: self._defaults(connection, shown, open_ones, values))
        return values

    def _defaults(
        self, connection: psycopg.Connection[Any], shown: Shown, open_ones: list[Variable], values: dict[str, str]
    ) -> dict[str, str]:
        roles = [v.role for v in open_ones if v.role]
        dialect = Values(*self._first(shown.model), chosen=dict(values))
        rows = store.run(connection, compose_defaults(shown.model, roles, dialect))
        return {v.name: str(rows[0][v.role]) for v in open_ones if v.role} if rows else {}

    def _variables(self, shown: Shown, chosen: dict[str, str]) -> list[ViewVariable]:
        try:
            with self._readers.reader(shown.store_id) as connection:
                values = self._values(connection, shown, chosen)
                return [self._variable(connection, shown, v, values) for v in shown.model.variables]
        except (psycopg.Error, Later, TooMany, NotFound, store.TooLarge):
            return [
                ViewVariable(v.name, v.label, list(v.options), chosen.get(v.name, v.default))
                for v in shown.model.variables
            ]

    def _variable(
        self, connection: psycopg.Connection[Any], shown: Shown, variable: Variable, values: dict[str, str]
    ) -> ViewVariable:
        value = values.get(variable.name, ALL if variable.role else variable.default)
        if variable.role is None:
            return ViewVariable(variable.name, variable.label, list(variable.options), value)
        dialect = Values(*self._first(shown.model), chosen=values)
        statement: sql.Composed = compose_options(shown.model, variable, dialect)
        options = [str(row["option"]) for row in store.run(connection, statement)]
        if value not in options and value != ALL:
            options.insert(0, value)
        return ViewVariable(variable.name, variable.label, [ALL, *options] if variable.optional else options, value)


def time_unit(model: Model, values: Mapping[str, str]) -> str:
    """Tell the unit of delays: the table's own, or the one known for the value chosen of a role."""
    if model.time_unit:
        return model.time_unit
    by_role = {v.role: values.get(v.name, "") for v in model.variables if v.role}
    for rule in model.time_unit_rules:
        if data.matches(rule.matches, by_role.get(rule.role, "")):
            return rule.unit
    return ""


def _with_unit(shown: Shown, unit: str) -> list[ViewRow]:
    """Write the unit of time into the panels that have it, now that it is known what was chosen."""
    return [
        ViewRow(row.title, [
            replace(panel, unit=unit) if (told := shown.model.panel(panel.id)) and told.unit == "time" else panel
            for panel in row.panels
        ])
        for row in shown.layout.rows
    ]


def _identifier(text: UUID | str) -> UUID:
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        raise NotFound from None


def _checked(model: Model, variables: Mapping[str, str]) -> dict[str, str]:
    """Keep what this dashboard asks for. Values are only ever compared as quoted text, never run."""
    chosen = {}
    for variable in model.variables:
        value = variables.get(variable.name)
        if not value or len(value) > _LONGEST_VALUE or "\0" in value:
            continue
        if variable.role is None and value not in variable.options:
            continue
        chosen[variable.name] = value
    return chosen


def _is_all(variable: Variable | None, value: str) -> bool:
    return variable is not None and variable.role is not None and value == ALL


def _why_empty(model: Model, since: datetime | None, until: datetime | None, values: Mapping[str, str]) -> str:
    labels = {v.name: v.label for v in model.variables if v.role}
    picked = ", ".join(f"{labels[name].lower()} {value}" for name, value in values.items() if name in labels)
    suffix = f" with {picked}" if picked else ""
    if model.time and (since or until):
        first = span.shown(since) if since else "the beginning"
        last = span.shown(until) if until else "now"
        return f"No rows between {first} and {last}{suffix}. Show all time."
    return f"No rows{suffix}." if suffix else "The table has no rows for this."


class _Cache:
    """Answers of the last seconds, so that several people and a preview ask the tenant's database once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: dict[tuple[Any, ...], tuple[float, Any]] = {}

    def get(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401  (holds whatever was made)
        now = monotonic_s()
        with self._lock:
            held = self._held.get(key)
        if held and now - held[0] < _FRESH_S:
            return held[1]
        made = make()
        with self._lock:
            if len(self._held) >= _MOST_CACHED:
                self._held = {k: v for k, v in self._held.items() if now - v[0] < _FRESH_S}
            self._held[key] = (now, made)
        return made
