"""Dashboards of campaigns of meters: which template, which panels, and what is shown first."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from belvedere.dashboards.bind import bind
from belvedere.dashboards.classify import Profile, Shape, classify
from belvedere.dashboards.postgres import first_range
from belvedere.dashboards.template import find
from belvedere.dashboards.to_grafana import to_grafana
from belvedere.dashboards.to_view import to_view
from belvedere.stores.series.plan import COMMON
from belvedere.workspaces.dialect import Values
from belvedere.workspaces.model import Model, Query
from belvedere.workspaces.postgres import compose

TYPES = {"time": "timestamp with time zone", "value": "double precision"}
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


def rows(low: datetime, early: datetime, late: datetime, high: datetime) -> dict[str, datetime]:
    """Say when rows stand."""
    return {"low": low, "early": early, "late": late, "high": high, "now": NOW}


def model(*extras: str) -> Model:
    columns = [(name, TYPES.get(name, "text")) for name in COMMON] + [(name, "double precision") for name in extras]
    shape = Shape("alice-series", "public", "site", tuple(columns), "view", "series")
    found = classify(shape, Profile())
    assert (found.chosen.template, found.guess) == ("meter-campaign", False)
    template = find(found.chosen.template)
    assert template is not None
    return bind(template, shape, found.chosen, guess=False)


def panels(made: Model) -> set[str]:
    return {panel.id for row in made.rows for panel in row.panels}


def test_there_are_panels_for_what_is_measured_and_none_for_what_is_not() -> None:
    always = {"devices", "channels", "channel-figures", "device-list"}
    assert panels(model()) == always
    power = {"energy", "highest-power", "power", "energy-over-time", "energy-by-device"}
    assert panels(model("power_w", "energy_kwh")) == always | power
    assert panels(model("voltage_v", "current_a", "gap_s")) == always | {"voltage", "current", "gaps"}


def test_texts_of_digits_stay_texts_in_tables_and_under_bars() -> None:
    document = to_grafana(model("power_w", "energy_kwh", "gap_s"), UUID(int=1), datasource="x")
    shown = {
        one["title"]: [entry for found in one["fieldConfig"]["overrides"] for entry in found["properties"]
                       if found["matcher"] == {"id": "byType", "options": "string"}]
        for one in document["panels"] if one["type"] in ("table", "barchart")
    }
    assert set(shown) == {"Lowest, mean, highest", "Devices", "Gaps", "Energy by device"}
    assert all({"id": "unit", "value": "string"} in one for one in shown.values())
    assert {"id": "noValue", "value": " "} in shown["Energy by device"]


def test_units_are_those_that_grafana_knows_and_every_query_is_cut_to_the_range() -> None:
    made = model("power_w", "energy_kwh", "voltage_v", "current_a", "gap_s")
    document = to_grafana(made, UUID(int=1), datasource="x")
    units = {one["title"]: one["fieldConfig"]["defaults"]["unit"] for one in document["panels"] if one["type"] != "row"}
    assert (units["Power by channel"], units["Voltage by phase"], units["Current by channel"], units["Energy"]) == (
        "watt", "volt", "amp", "kwatth")
    statements = [target["rawSql"] for one in document["panels"] for target in one.get("targets", [])]
    # By the column itself, whose index helps, and not by what is read of it.
    assert all('WHERE "time" BETWEEN $__timeFrom()::timestamptz AND $__timeTo()::timestamptz)' in one
               for one in statements)


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_of_the_whole_campaign_does_not_follow_the_meter_that_is_chosen(whole: object) -> None:
    made = model("power_w")
    query = Query("rows", fields=("device",), whole=bool(whole))
    written = compose(made, query, Values(chosen={"meter": "0815"})).as_string()
    assert ("0815" in written) is not whole


def test_first_comes_the_range_of_the_data_without_rows_of_a_clock_that_was_reset() -> None:
    begin, end = datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 8, 4, tzinfo=UTC)
    reset, far = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert first_range(rows(begin, begin + hour, end - hour, end), whole=True) == (
        "2025-08-01T00:00Z", "2025-08-04T00:00Z", False)
    assert first_range(rows(reset, begin, end, end), whole=True) == (
        "2025-08-01T00:00Z", "2025-08-04T00:00Z", False)
    assert first_range(rows(begin, begin, end, far), whole=True) == (
        "2025-08-01T00:00Z", "2025-08-04T00:00Z", True)


def test_while_rows_come_the_range_goes_with_the_clock() -> None:
    begin, end = NOW - timedelta(days=20), NOW - timedelta(hours=6)
    there = rows(begin, begin, end, end)
    assert first_range(there, whole=True) == ("now-30d", "now", False)
    # Of a longer table, only as much as was looked at.
    assert first_range(there, whole=False) == ("now-7d", "now", False)


def test_both_renderings_say_the_range() -> None:
    from msgspec.structs import replace

    made = replace(model(), since="2025-08-01T00:00Z", until="2025-08-04T00:00Z")
    assert to_grafana(made, UUID(int=1), datasource="x")["time"] == {
        "from": "2025-08-01T00:00Z", "to": "2025-08-04T00:00Z"}
    assert to_view(made, UUID(int=1)).time.start == "2025-08-01T00:00Z"
