"""What a workspace can show: a typed dashboard of rows and panels, whose queries are data and not SQL.

One model, two renderings: the built-in viewer runs its queries (`viewer/`), and `dashboards/to_grafana.py` writes
them as a Grafana dashboard. Both get their SQL from `postgres.py`. What is not here: which table gets which
panels (`dashboards/catalogue/`), and the state of a stored dashboard (`dashboards/model.py`).
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

Stored = Literal["number", "timestamptz", "timestamp", "date", "text", "boolean", "other"]
"""How a column is stored, as far as reading it goes. `other` holds everything that is not built in."""

Read = Literal["number", "time", "text"]
"""What a panel reads a column as."""

PanelType = Literal["stat", "timeseries", "bar", "histogram", "scatter", "table", "text"]
QueryKind = Literal["tile", "aggregate", "rows", "histogram", "series", "compare", "profile"]
Scope = Literal["all", "last", "last two"]
Function = Literal["count", "sum", "min", "max", "mean", "distinct"]
Better = Literal["higher", "lower"]

ALL: Final = "All"
"""The option of a variable that filters nothing."""


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """One column as panels read it.

    `stored` decides how it is cast: text is cast only where it has the shape of a number or a time, so that no
    row can break a query. `part` takes one piece of a divided text (separator, number from 1). `labels` are the
    values that have a name and an order of their own, as pairs of value and name. `label` is what people read above
    the column; empty: its name.
    """

    column: str
    read: Read
    stored: Stored
    part: tuple[str, int] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    label: str = ""


class Condition(Struct, frozen=True, forbid_unknown_fields=True):
    """A row must meet this: the field named by a role against values."""

    role: str
    op: Literal["in", "matches", "below", "present"]
    values: tuple[str, ...] = ()
    limit: float = 0.0


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    """One figure of an aggregate. `of` is the role it is taken of; a count needs none.

    `where` narrows the rows of this figure alone. `share` shows values up to 1 as per cent, since tools write
    both 0.61 and 61. `otherwise` is the figure used where the column of `of` is not there.
    """

    name: str
    label: str
    function: Function
    of: str | None = None
    where: tuple[Condition, ...] = ()
    share: bool = False
    unit: str = ""
    decimals: int | None = None
    otherwise: Function | None = None


class Query(Struct, frozen=True, forbid_unknown_fields=True):
    """What a panel asks of the one table of its dashboard.

    Attributes:
        kind: the shape of the answer; `postgres.py` writes each.
        by: roles that divide the figures. A series is divided over time besides.
        measures: the figures.
        fields: the roles that a list of rows shows.
        where: conditions of all figures.
        scope: all rows, those of the last run, or those of the last two; without runs always all rows.
        worst_per: roles (value, thing): keep only the lowest value of each thing before anything is counted, as
            total negative slack does with endpoints.
        order: names to sort by; a minus in front turns the order.
        limit: most rows of the answer.
        runs: only so many last runs, by the variable of this name.
        lookup: for `compare`, the lookup that knows unit and direction of each key.
        whole: whatever the variables choose, of all.
    """

    kind: QueryKind
    by: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    fields: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    scope: Scope = "all"
    worst_per: tuple[str, str] | None = None
    order: tuple[str, ...] = ()
    limit: int = 200
    runs: str = ""
    lookup: str = ""
    whole: bool = False


class Threshold(Struct, frozen=True, forbid_unknown_fields=True):
    """From this value on upwards, the tone."""

    at: float | None
    tone: Literal["good", "warn", "bad", "none"]


class Options(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a panel is drawn, beyond its type. Only what fits the type is used."""

    better: Better | None = None
    thresholds: tuple[Threshold, ...] = ()
    stacked: bool = False
    horizontal: bool = False
    highlight_last: bool = False
    zero: float | None = None
    threshold: float | None = None
    x_label: str = ""
    y_label: str = ""
    equal_aspect: bool = False
    tone_column: str = ""
    text: str = ""


class Panel(Struct, frozen=True, forbid_unknown_fields=True):
    """One panel. Its id is stable for ever: bookmarks, pictures and Grafana's panel ids hang on it.

    `unit` may be `time`: the unit of slack and delay in this table, where it is known. `needs` are roles without
    which the panel is left out; `without` are roles with which it is left out.
    """

    id: str
    type: PanelType
    title: str
    width: int
    height: int
    query: Query | None = None
    unit: str = ""
    decimals: int | None = None
    description: str = ""
    options: Options = Options()
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """Panels side by side, in a grid of 24 columns, wrapped where they are wider."""

    title: str
    panels: tuple[Panel, ...]


class Variable(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person may choose above a dashboard.

    With a `role` its options are the values of that column, limited by the variables before it, and `optional`
    adds `All`; the default is the value of the last run. Without a role, `options` are fixed (numbers of runs).
    """

    name: str
    label: str
    role: str | None = None
    optional: bool = True
    options: tuple[str, ...] = ()
    default: str = ""
    needs: tuple[str, ...] = ()


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known about keys that match a POSIX pattern: first match wins."""

    matches: str
    unit: str = ""
    better: Better | None = None


class UnitRule(Struct, frozen=True, forbid_unknown_fields=True):
    """The unit of time of rows whose `role` matches a pattern, where a table does not say it itself."""

    role: str
    matches: str
    unit: str


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """One dashboard, complete: nothing else is needed to draw it but the tenant's rows.

    `subtitle` says what it is, to be followed by "from" and the table. `fields` maps roles to columns. `time` is the
    role that the time range filters; `run` the one that tells runs apart. `time_unit` is empty where the table
    does not tell the unit of its delays. `reach` is the shortest usual time range that holds every row, such as
    `now-90d`; empty where that is not known. It is for workspaces that must name one; the viewer shows all there is.
    `since` and `until` are what is shown first of a table that may be too long to be read whole, as ISO 8601 or such as
    `now-7d`; empty where everything is. Rows that come after `until` are shown too, unless it is `clipped`: those that
    stand there are years away. `gap_s` is how long there must be no value for a line to be broken; 0: lines join all.
    """

    template: str
    family: str
    title: str
    subtitle: str
    guess: bool
    database: str
    schema: str
    table: str
    fields: dict[str, Field]
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    lookups: dict[str, tuple[Rule, ...]] = {}
    time: str | None = None
    run: str | None = None
    time_unit: str = ""
    time_unit_rules: tuple[UnitRule, ...] = ()
    default_range: str = ""
    reach: str = ""
    since: str = ""
    until: str = ""
    clipped: bool = False
    gap_s: int = 0
    refresh_s: int = 30

    def panel(self, panel_id: str) -> Panel | None:
        """Find a panel by its id."""
        return next((panel for row in self.rows for panel in row.panels if panel.id == panel_id), None)

    def variable(self, name: str) -> Variable | None:
        """Find a variable by its name."""
        return next((variable for variable in self.variables if variable.name == name), None)


Chosen = Mapping[str, str]
"""Variable name to the value chosen for it."""
