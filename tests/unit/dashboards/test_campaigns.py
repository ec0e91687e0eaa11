"""Dashboards of campaigns of meters: which template, which panels, and what is shown first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from belvedere.dashboards.bind import bind
from belvedere.dashboards.campaigns import Measured
from belvedere.dashboards.classify import Profile, Shape, classify
from belvedere.dashboards.postgres import first_range
from belvedere.dashboards.template import find
from belvedere.dashboards.to_grafana import to_grafana
from belvedere.dashboards.to_view import to_view
from belvedere.stores.series.plan import COMMON
from belvedere.workspaces.dialect import Values
from belvedere.workspaces.model import Model, Query
from belvedere.workspaces.postgres import compose
from belvedere.workspaces.viewer.data import panel_data

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
    assert set(shown) == {"Lowest, mean, highest", "Devices", "Gaps", "Energy by device (kWh)"}
    assert all({"id": "unit", "value": "string"} in one for one in shown.values())
    assert {"id": "noValue", "value": " "} in shown["Energy by device (kWh)"]


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
        "2025-07-31T23:38Z", "2025-08-04T00:01Z", False)
    assert first_range(rows(reset, begin, end, end), whole=True) == (
        "2025-07-31T23:38Z", "2025-08-04T00:01Z", False)
    assert first_range(rows(begin, begin, end, far), whole=True) == (
        "2025-07-31T23:38Z", "2025-08-04T00:01Z", True)


def test_while_rows_come_the_range_goes_with_the_clock() -> None:
    hour = timedelta(hours=1)
    begin, end = NOW - timedelta(days=20), NOW - 6 * hour
    there = rows(begin, begin, end, end)
    assert first_range(there, whole=True) == ("now-30d", "now", False)
    # Of a longer table, only as much as was looked at.
    assert first_range(there, whole=False) == ("now-7d", "now", False)
    # Of a few hours nobody sees anything in a week, and of a day that ended yesterday nothing is missing.
    assert first_range(rows(NOW - hour, NOW - hour, NOW, NOW), whole=True) == ("now-6h", "now", False)
    ended = rows(NOW - 40 * hour, NOW - 40 * hour, NOW - 20 * hour, NOW - 20 * hour)
    assert first_range(ended, whole=True) == ("2026-11-20T10:54Z", "2026-11-21T07:01Z", False)


def test_both_renderings_say_the_range() -> None:
    made = structs.replace(model(), since="2025-08-01T00:00Z", until="2025-08-04T00:00Z")
    assert to_grafana(made, UUID(int=1), datasource="x")["time"] == {
        "from": "2025-08-01T00:00Z", "to": "2025-08-04T00:00Z"}
    assert to_view(made, UUID(int=1)).time.start == "2025-08-01T00:00Z"


def test_a_line_has_a_hole_where_there_was_no_value_for_long() -> None:
    whole = Measured(1, "spring", "series", points=600, rows=300, meters=1, first=NOW - timedelta(days=30), last=NOW)
    # A row each 144 minutes: five of them are less than what can be seen of thirty days, rounded up.
    assert whole.gap_s == 16 * 3600
    assert replace(whole, first=NOW - timedelta(hours=50)).gap_s == 3600
    # A value a day is no gap from day to day, also of two meters.
    assert replace(whole, rows=30).gap_s > replace(whole, rows=60, meters=2).gap_s / 2 >= 2 * 86_400
    assert [replace(whole, first=None).gap_s, replace(whole, rows=0).gap_s] == [0, 0]

    made = structs.replace(model("power_w"), gap_s=3600)
    drawn = {one["title"]: one["fieldConfig"]["defaults"].get("custom") for one in to_grafana(
        made, UUID(int=1), datasource="x")["panels"] if one["type"] != "row"}
    assert drawn["Power by channel"]["insertNulls"] == 3_600_000
    # Grafana draws what stands for no value, where it is a number: a blank is 0 to it.
    for one in to_grafana(made, UUID(int=1), datasource="x")["panels"]:
        for override in one.get("fieldConfig", {}).get("overrides", ()) if one["type"] == "timeseries" else ():
            assert all(entry["value"].strip() for entry in override["properties"] if entry["id"] == "noValue")
    moments = [NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=9)]
    answer = [{"time": one, "series": "a", "value": 1.0, "width": 600.0} for one in moments]
    panel = made.panel("power")
    assert panel is not None
    assert panel_data(made, panel, answer, "").options["gap_s"] == 3600
    # Zoomed out, the intervals themselves are wider.
    wide = [one | {"width": 7200.0} for one in answer]
    assert panel_data(made, panel, wide, "").options["gap_s"] == 18_000


def test_bars_that_lie_have_a_figure_each_and_no_axis_whose_labels_meet() -> None:
    document = to_grafana(model("power_w", "energy_kwh"), UUID(int=1), datasource="x")
    [bars] = [one for one in document["panels"] if one["title"] == "Energy by device (kWh)"]
    hidden = {"matcher": {"id": "byType", "options": "number"},
              "properties": [{"id": "custom.axisPlacement", "value": "hidden"}]}
    assert hidden in bars["fieldConfig"]["overrides"]
    assert (bars["options"]["orientation"], bars["options"]["legend"]["showLegend"]) == ("horizontal", False)
    assert (bars["fieldConfig"]["defaults"]["unit"], bars["fieldConfig"]["defaults"]["decimals"]) == ("none", 1)
    [power] = [one for one in document["panels"] if one["title"] == "Power by channel"]
    assert "decimals" not in power["fieldConfig"]["defaults"]


def test_tables_say_words_instead_of_columns_and_leave_moments_their_room() -> None:
    made = model("gap_s")
    document = to_grafana(made, UUID(int=1), datasource="x")
    [devices] = [one for one in document["panels"] if one["title"] == "Devices" and one["type"] == "table"]
    assert all(f'AS "{word}"' in devices["targets"][0]["rawSql"] for word in ("Device", "Kind", "Meter", "First"))
    units = {one["matcher"]["options"]: one["properties"] for one in devices["fieldConfig"]["overrides"]
             if one["matcher"]["id"] == "byName"}
    assert units["First"] == units["Last"] == [
        {"id": "unit", "value": "time:YYYY-MM-DD HH:mm"}, {"id": "custom.width", "value": 150}]
    panel = made.panel("gaps")
    assert panel is not None
    shown = panel_data(made, panel, [{"time": NOW, "meter": "0815", "missing": 7260.0}], "")
    assert [(one.label, one.unit) for one in shown.columns] == [("Time", ""), ("Meter", ""), ("Missing", "duration")]


def test_a_power_of_kilowatts_is_said_in_kilowatts() -> None:
    made = model("power_w")
    panel = made.panel("highest-power")
    assert panel is not None
    shown = panel_data(made, panel, [{"value": 25_633.9}], "")
    assert (shown.rows[0][0], shown.unit) == (pytest.approx(25.6339), "kW")
    assert panel_data(made, panel, [{"value": 457.0}], "").unit == "W"
