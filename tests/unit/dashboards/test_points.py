"""A campaign's dashboard over InfluxDB: the panels of the template, and nothing of a tenant's taken for a variable."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belvedere.dashboards.campaigns import Measured
from belvedere.dashboards.points.channels import Place, quoted
from belvedere.dashboards.points.forms import PointForms
from belvedere.dashboards.points.to_flux import to_flux
from belvedere.dashboards.points.to_influxql import to_influxql
from belvedere.dashboards.to_grafana import to_grafana
from belvedere.stores.influx.model import Campaign
from belvedere.stores.influx.shape import columns_of, quantities_of
from belvedere.stores.model import Relation, RelationKind, RelationState

STORE, BOARD = uuid4(), UUID(int=7)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def looked(
    table: str = "spring", units: tuple[str, ...] = ("W", "V"), measured: Measured | None = None, **dates: int
):
    campaigns = {table: Campaign((table,), **dates)}
    forms = PointForms(lambda _serial: (STORE, campaigns), plugin="influxdb", flux=True, now=lambda: NOW)
    relation = Relation(
        STORE, 1, "public", table, RelationKind.TABLE, columns_of(quantities_of(units)), None, 0,
        RelationState.STABLE, NOW, NOW)
    return forms.look(
        None, relation, tenant=1, store_id=STORE, database="acme", store_kind="influxdb", override=None, within_s=1,
        measured=measured)


def test_a_campaign_is_recognised_by_its_shape_alone_and_has_panels_for_what_it_has():
    model = looked().desired.model
    assert model.template == "meter-campaign"
    assert not model.guess
    titles = [panel.title for row in model.rows for panel in row.panels]
    assert {"Energy", "Power by channel", "Voltage by phase", "Gaps"} <= set(titles)
    assert "Current by channel" not in titles
    assert "Temperature" in [p.title for row in looked(units=("°C",)).desired.model.rows for p in row.panels]


@pytest.mark.parametrize("write", [to_flux, to_influxql])
def test_panels_ids_and_places_are_those_of_the_other_rendering(write):
    model = looked().desired.model
    place, plugin = Place("acme", ("spring",)), "influxdb-adecwatts-datasource"
    made = write(model, BOARD, datasource="ds", place=place, plugin=plugin)
    plain = to_grafana(model, BOARD, datasource="ds")
    assert [(one["id"], one["title"].removesuffix(" (kWh)"), one["gridPos"]) for one in made["panels"]] == [
        (one["id"], one["title"].removesuffix(" (kWh)"), one["gridPos"]) for one in plain["panels"]]
    assert [one["name"] for one in made["templating"]["list"]] == ["meter", "device", "channel"]
    sources = set(re.findall(r'"type": "([a-z-]+datasource|influxdb)"', json.dumps(made)))
    assert sources == {"influxdb-adecwatts-datasource"}
    assert "rawSql" not in json.dumps(made)


@settings(max_examples=80)
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=20))
def test_nothing_of_a_name_reaches_flux_or_grafana_as_more_than_text(tag, bucket):
    model = looked().desired.model
    for write in (to_flux, to_influxql):
        made = write(model, BOARD, datasource="ds", place=Place(bucket, (tag,)))
        plain = write(model, BOARD, datasource="ds", place=Place("acme", ("spring",)))
        for panel, usual in zip(made["panels"], plain["panels"], strict=True):
            for one, other in zip(panel.get("targets", ()), usual.get("targets", ()), strict=True):
                assert re.findall(r"\$\{?\w+", one["query"]) == re.findall(r"\$\{?\w+", other["query"])
                assert one["query"].count('"') == other["query"].count('"')
                assert len(re.findall(r"\bv\.", one["query"])) == len(re.findall(r"\bv\.", other["query"]))


def test_signs_stand_as_codes():
    assert quoted('a"b\\${x}.é') == "a\\x22b\\x5c\\x24\\x7bx\\x7d\\x2eé"


def test_first_the_whole_campaign_is_shown_or_as_much_as_may_be_read_at_once():
    def span(measured: Measured | None = None, **dates: int) -> tuple[str, str]:
        model = looked(measured=measured, **dates).desired.model
        return model.since, model.until

    day = 86_400
    last = int(NOW.timestamp())
    assert span() == ("now-7d", "now")
    assert span(first_s=last - 80 * day, last_s=last - 3600) == ("now-90d", "now")
    ended = {"first_s": last - 90 * day, "last_s": last - 30 * day}
    assert span(**ended) == ("2026-08-23T16:48Z", "2026-10-23T00:01Z")
    # What files tell goes before what was written under the date of a clock that was lost.
    known = Measured(1, "spring", "influxdb", points=900, rows=450, meters=1, first=NOW - timedelta(days=40),
                     last=NOW - timedelta(days=30), newest_at=NOW)
    assert span(known, first_s=0, last_s=last - 30 * day) == ("2026-10-12T22:48Z", "2026-10-23T00:01Z")
    assert span(replace(known, points=3_000_000), **ended) == ("2026-10-21T23:52Z", "2026-10-23T00:01Z")


def test_tables_of_flux_are_read_under_the_same_words():
    made = to_flux(looked().desired.model, BOARD, datasource="ds", place=Place("acme", ("spring",)))
    asked = {one["title"]: one["targets"][0]["query"] for one in made["panels"] if one["type"] != "row"}
    assert "({Time: r._time, Meter: r.device_master_sn, Missing:" in asked["Gaps"]
    assert 'rename(columns: {channel: "Channel", name: "Name", unit: "Unit"})' in asked["Lowest, mean, highest"]
    assert "rename" not in asked["Power by channel"]
    [devices] = [one for one in made["panels"] if one["title"] == "Devices" and one["type"] == "table"]
    assert [*devices["transformations"][0]["options"]["indexByName"]][:4] == ["Device", "Kind", "Meter", "Channels"]
