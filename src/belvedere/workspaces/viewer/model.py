"""What the built-in viewer sends to the browser: the layout once, then each panel's data.

Member names are the JSON. What is not here: the SQL (`workspaces/postgres.py`) and the drawing (the browser).
"""

from typing import Any, Literal

from msgspec import Struct

from belvedere.workspaces.model import PanelType

Value = str | float | int | None


class ViewTime(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """The time range of a dashboard. `column` is empty where the table has no time."""

    column: str | None
    start: str | None
    end: str | None
    default: str


class ViewVariable(Struct, frozen=True):
    """A choice above the dashboard, with its options resolved."""

    name: str
    label: str
    options: list[str]
    value: str
    multi: bool = False


class ViewPanel(Struct, frozen=True):
    """A panel's place: `width` of 24 columns, `height` in units of 40 pixels."""

    id: str
    type: PanelType
    title: str
    unit: str
    width: int
    height: int
    description: str


class ViewRow(Struct, frozen=True):
    """Panels under one title."""

    title: str
    panels: list[ViewPanel]


class ViewLayout(Struct, frozen=True):
    """A dashboard without its data."""

    id: str
    title: str
    subtitle: str
    family: str
    guess: bool
    database: str
    table: str
    time: ViewTime
    refresh_s: int
    variables: list[ViewVariable]
    rows: list[ViewRow]


class PanelColumn(Struct, frozen=True):
    """One column of a panel's data."""

    name: str
    label: str
    type: Literal["time", "number", "text"]
    unit: str = ""
    decimals: int | None = None


class PanelData(Struct, frozen=True):
    """A panel's data, or the sentence that stands for it.

    `empty` says why and what to do; `error` carries the database's own words, masked; `partial` shows what is
    there and says what is left out. `note` is said beside good data ("1-hour mean").
    """

    id: str
    type: PanelType
    title: str
    unit: str
    state: Literal["ok", "empty", "error", "partial"]
    message: str = ""
    columns: list[PanelColumn] = []
    rows: list[list[Value]] = []
    options: dict[str, Any] = {}
    truncated: bool = False
    note: str = ""
