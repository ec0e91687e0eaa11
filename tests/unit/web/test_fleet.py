"""The fleet of uploads at all its doors: drawn over our own rows, kept in a Grafana over an InfluxDB (both twins)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from tests.unit.web.conftest import browser

from belvedere.app import Services
from belvedere.audit.service import FileHistory
from belvedere.cli import fleet as commands
from belvedere.cli.fleet import fleet as command
from belvedere.dashboards.fleet import grafana as hands
from belvedere.dashboards.fleet import service as rules
from belvedere.dashboards.fleet.document import document_of
from belvedere.dashboards.fleet.grafana import FleetGrafana
from belvedere.dashboards.fleet.model import BY_HAND, TOKEN, Reading
from belvedere.dashboards.fleet.service import Fleet, Setup
from belvedere.dashboards.fleet.wire import fleet_of
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.errors import Forbidden, Later, NotFound, Rejected, Stuck
from belvedere.kernel.secret import Secret
from belvedere.stores.influx.api import Influx
from belvedere.stores.influx.model import Access as InfluxAccess
from belvedere.stores.influx.summaries import Summaries
from belvedere.stores.influx.testing import TwinInflux
from belvedere.web.app import create_app
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.model import InfluxOptions
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace

OPERATOR = Actor(name="olga", role=Role.OPERATOR, door="cli")
URL = "http://grafana.test"
NAME = "Belvedere operators"


class Died(BaseException):
    """The process ends here."""


@dataclass
class World:
    """A fleet whose Grafana and InfluxDB are twins."""

    services: Services
    grafana: TwinGrafana
    influx: TwinInflux
    fleet: Fleet

    @property
    def place(self) -> Any:
        [found] = [one for one in self.grafana.organisations.values() if one.name == NAME]
        return found

    @property
    def source(self) -> dict[str, Any]:
        [found] = self.place.sources.values()
        return found

    @property
    def board(self) -> dict[str, Any]:
        [found] = self.place.boards.values()
        return found

    def again(self, **more: Any) -> Fleet:
        """Return the fleet as another setting makes it, on the same twins."""
        self.fleet = made(self.services, self.grafana, self.influx, **more)
        return self.fleet


def made(
    services: Services, grafana: TwinGrafana | None, influx: TwinInflux | None, *, organisation: str = NAME,
    flux: bool = True, why_not: str = "", bucket: str = "meta",
) -> Fleet:
    access = InfluxAccess("http://influx.test", "acme org", Secret("admin-token"))
    server = Influx(access, transport=influx, pause=lambda _s: None) if influx is not None else None
    login = Access(URL, "admin", Secret("admin"))
    return Fleet(
        database=services.database, history=services.history, vault=services.vault,
        setup=Setup(organisation, InfluxOptions("http://influx.test", "acme org", flux=flux), why_not),
        summaries=Summaries(server, bucket) if server is not None else None,
        grafana=None if grafana is None else FleetGrafana(
            Grafana(login, transport=grafana, pause=lambda _s: None), services.database),
    )


@pytest.fixture
def world(services: Services) -> World:
    grafana, influx = TwinGrafana(), TwinInflux()
    return World(services, grafana, influx, made(services, grafana, influx))


def titles(found: Any) -> list[str]:
    return [f"{step.sign} {step.key}" for step in found.steps]


def deeds(history: FileHistory) -> list[str]:
    return [one.verb for one in history.search(SYSTEM, limit=50).items]


def test_it_is_made_once_for_operators_alone_with_a_token_that_reads_the_summaries_alone(world: World) -> None:
    assert titles(world.fleet.plan(OPERATOR)) == [
        "+ bucket", "+ token", "+ organisation", "+ folder", "+ source", "+ board"]
    assert world.fleet.state(OPERATOR).word == "not yet"
    done = world.fleet.apply(OPERATOR)
    assert len(done.steps) == 6
    calls = len([one for one in world.grafana.calls if one[0] != "GET"])
    assert not world.fleet.plan(OPERATOR)
    assert not world.fleet.apply(OPERATOR).steps
    world.fleet.check()
    assert len([one for one in world.grafana.calls if one[0] != "GET"]) == calls
    assert world.place.roles == {1: "Admin"}
    assert len(world.grafana.organisations) == 2 and not world.grafana.organisations[1].boards
    [token] = [one for one in world.influx.tokens.values() if one.permissions is not None]
    [right] = token.permissions or []
    bucket = world.influx.bucket_named("meta")
    assert (right["action"], right["resource"]["id"]) == ("read", bucket.id if bucket else "")
    assert world.source["jsonData"][TOKEN] == token.id
    assert world.source["jsonData"]["defaultBucket"] == "meta"
    with world.services.database.transaction() as connection:
        [kept] = connection.execute("SELECT sealed, number FROM fleet_token").fetchall()
    assert kept["number"] == token.id and token.value.encode() not in bytes(kept["sealed"])
    state = world.fleet.state(OPERATOR)
    assert state.word == "ready"
    assert world.fleet.address(state) == f"{URL}/d/{next(iter(world.place.boards))}?orgId={world.place.id}"
    assert deeds(world.services.history).count("fleet.apply") == 2
    with pytest.raises(Forbidden):
        world.fleet.apply(Actor(name="vera", role=Role.VIEWER))
    for ask in (world.fleet.plan, world.fleet.state, world.fleet.apply):
        with pytest.raises(NotFound):
            ask(Actor(name="mallory", role=Role.OWNER, tenant=7))


def test_what_drifts_is_shown_and_repaired_and_what_people_changed_waits(world: World) -> None:
    world.fleet.apply(OPERATOR)
    world.source["url"] = "http://elsewhere.test"
    [folder] = world.place.folders
    del world.place.folders[folder]
    found = world.fleet.plan(OPERATOR)
    assert titles(found) == ["+ folder", "~ source"]
    assert next((one.field, one.old) for one in found.steps[1].changes) == ("url", "http://elsewhere.test")
    world.fleet.check()
    assert world.source["url"] == "http://influx.test" and not world.fleet.plan(OPERATOR)
    assert deeds(world.services.history).count("fleet.repair") == 1
    # Somebody types another token over ours: nothing tells but the version.
    world.source["version"] += 1
    assert [one.field for one in world.fleet.plan(OPERATOR).steps[0].changes] == ["token"]
    world.fleet.check()
    theirs = world.board
    theirs["dashboard"] = {**theirs["dashboard"], "title": "Mine", "version": theirs["dashboard"]["version"] + 1}
    assert world.fleet.plan(OPERATOR).warnings == (BY_HAND,)
    world.fleet.check()
    assert world.board["dashboard"]["title"] == "Mine"
    assert world.fleet.state(OPERATOR).word == "changed by hand"
    assert titles(world.fleet.apply(OPERATOR, restore=True)) == ["~ board"]
    assert world.board["dashboard"]["title"] == "Fleet of uploads"
    assert world.fleet.state(OPERATOR).word == "ready"


def test_a_token_that_went_or_reaches_more_is_made_anew_and_shows_as_drift(world: World) -> None:
    world.fleet.apply(OPERATOR)
    old = world.source["jsonData"][TOKEN]
    world.influx.tokens[old].permissions = [{"action": "read", "resource": {"type": "buckets"}}]
    found = world.fleet.plan(OPERATOR)
    assert titles(found) == ["~ token", "~ source"]
    assert [(one.field, one.new) for one in found.steps[1].changes] == [(f"jsonData.{TOKEN}", "(the new one)")]
    world.fleet.check()
    new = world.source["jsonData"][TOKEN]
    assert new != old and old not in world.influx.tokens
    assert not world.fleet.plan(OPERATOR)
    del world.influx.tokens[new]
    world.fleet.check()
    assert world.source["jsonData"][TOKEN] not in {old, new}
    # Another language: the secret of the first is taken away.
    ql = world.again(flux=False)
    assert titles(ql.plan(OPERATOR)) == ["~ source", "~ board"]
    ql.check()
    assert not ql.plan(OPERATOR)
    assert world.source["secureJsonFields"].get("httpHeaderValue1")
    # Another bucket needs another token.
    other = world.again(bucket="other", flux=False)
    assert titles(other.plan(OPERATOR)) == ["+ bucket", "~ token", "+ map", "~ source"]
    other.check()
    assert not other.plan(OPERATOR)


def test_without_an_influxdb_there_is_none_and_it_says_why(services: Services, world: World) -> None:
    settings = replace(services.settings, grafana_url=URL, grafana_user="admin", grafana_password=Secret("x"))
    login = Access(URL, "admin", Secret("admin"))
    place = GrafanaWorkspace(
        access=login, database=services.database, credentials=services.credentials, stores=services.stores,
        transport=world.grafana,
    )
    kept: dict[str, Any] = {"database": services.database, "history": services.history, "vault": services.vault}
    assert fleet_of(services.settings, **kept, at=None, influx=None).why_not.startswith("No Grafana")
    found = fleet_of(settings, **kept, at=place, influx=None)
    assert found.why_not.startswith("No InfluxDB")
    assert fleet_of(replace(settings, grafana_operators="-"), **kept, at=place, influx=None).why_not.startswith(
        "BELVEDERE_GRAFANA_OPERATORS")
    assert found.state(OPERATOR).word == "none"
    for ask in (found.plan, found.apply):
        with pytest.raises(Rejected, match="No InfluxDB"):
            ask(OPERATOR)
    found.check()
    assert not world.grafana.calls and not world.influx.calls


def test_what_was_made_goes_when_it_is_switched_off_and_what_is_not_ours_stays(world: World) -> None:
    world.fleet.apply(OPERATOR)
    [folder] = world.place.folders
    world.place.boards["theirs"] = {"dashboard": {"uid": "theirs", "title": "Mine", "version": 1}, "folder": folder}
    off = world.again(organisation="-", why_not="Switched off.")
    assert off.plan(OPERATOR).warnings[0].startswith(f"The organisation {NAME} stays")
    assert titles(off.plan(OPERATOR)) == ["- drop-board", "- drop-source", "- drop-token", "- forget"]
    off.check()
    assert set(world.place.boards) == {"theirs"} and set(world.place.folders) == {folder}
    assert not world.place.sources and not [one for one in world.influx.tokens.values() if one.permissions]
    off.check()
    with pytest.raises(Rejected, match="Switched off"):
        off.plan(OPERATOR)
    on = world.again()
    on.check()
    assert len(world.place.boards) == 2 and not on.plan(OPERATOR)


def test_no_tenant_and_no_stranger_is_let_in(world: World) -> None:
    org = world.grafana.organisations
    foreign = type(org[1])(5, NAME, roles={1: "Admin"})
    org[5] = foreign
    with pytest.raises(Stuck) as caught:
        world.fleet.apply(OPERATOR)
    assert caught.value.problem == "grafana-taken"
    assert (world.fleet.state(OPERATOR).word, foreign.boards) == ("needs you", {})
    world.services.tenants.create(SYSTEM, "acme")
    serial = world.services.tenants.get(SYSTEM, "acme").serial
    with world.services.database.transaction() as connection:
        connection.execute(
            "INSERT INTO grafana_workspace (tenant_id, tier, url, organisation_name, organisation) "
            "VALUES (%s, 'org', %s, 'x', 1)", [serial, URL])
        connection.execute("INSERT INTO grafana_user (url, login, number) VALUES (%s, 'bob', 9)", [URL])
    with pytest.raises(Stuck, match="Tenants look in organisation 1"):
        world.again(organisation="1").apply(OPERATOR)
    with pytest.raises(Stuck, match="no organisation 77"):
        world.again(organisation="77").apply(OPERATOR)
    given = world.again(organisation="5")
    foreign.roles[9] = "Viewer"
    world.grafana.users[9] = replace(world.grafana.users[1], id=9, login="bob", email="bob@x", server_admin=False)
    assert titles(given.apply(OPERATOR))[-2:] == ["+ source", "+ board"]
    assert not foreign.address
    [warned] = given.state(OPERATOR).warnings
    assert warned.startswith("bob is of a tenant")
    del foreign.roles[1]
    assert titles(given.plan(OPERATOR)) == ["~ join"]
    given.check()
    assert foreign.roles[1] == "Admin" and not given.plan(OPERATOR)


def test_what_is_away_is_said_and_told_again(world: World) -> None:
    world.influx.trouble = [(503, {})] * 4
    with pytest.raises(Later):
        world.fleet.apply(OPERATOR)
    assert world.fleet.state(OPERATOR).word == "waiting"
    world.fleet.check()
    assert world.fleet.state(OPERATOR).word == "ready"


@pytest.mark.parametrize("names", [
    ("dashboards.fleet.step.before", "dashboards.fleet.step.after", "dashboards.fleet.token-made",
     "dashboards.fleet.token-kept", "dashboards.fleet.organisation-asked", "dashboards.fleet.organisation-made",
     "dashboards.fleet.organisation-marked", "dashboards.fleet.organisation.before-commit",
     "dashboards.fleet.folder-made", "dashboards.fleet.source-made", "dashboards.fleet.board-made"),
    ("dashboards.fleet.dropped", "dashboards.fleet.token-dropped", "dashboards.fleet.forget.before-commit"),
], ids=["made", "taken away"])
def test_a_crash_at_any_place_loses_nothing_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    def dying(at: str) -> Callable[[str], None]:
        def failpoint(name: str) -> None:
            if name == at:
                raise Died
        return failpoint

    for name in names:
        world.grafana, world.influx = TwinGrafana(), TwinInflux()
        for table in ("fleet_board", "fleet_token"):
            with world.services.database.transaction() as connection:
                connection.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]
        going = "dashboards.fleet.dropped" in names
        if going:
            world.again().apply(OPERATOR)
        tried = world.again(why_not="Off." if going else "")
        for module in (hands, rules):
            monkeypatch.setattr(module, "failpoint", dying(name))
        with pytest.raises(Died):
            tried.apply(OPERATOR)
        for module in (hands, rules):
            monkeypatch.setattr(module, "failpoint", lambda _name: None)
        tried.check()
        tokens = [one for one in world.influx.tokens.values() if one.permissions]
        assert len(world.grafana.organisations) == 2, name
        assert (len(tokens), len(world.place.boards), len(world.place.sources), len(world.place.folders)) == (
            (0, 0, 0, 0) if going else (1, 1, 1, 1)), name
        assert going or not tried.plan(OPERATOR), name


def test_every_panel_asks_in_both_languages_and_takes_nothing_of_a_bucket_for_a_variable() -> None:
    for flux in (True, False):
        reading = Reading(InfluxOptions("http://i.test", "acme", flux=flux), 'me"ta $__all', "t1")
        document = document_of(reading, source="s", uid="u")
        asked = [one["query"] for panel in document["panels"] for one in panel.get("targets", [])]
        assert len(asked) == (15 if flux else 16)
        assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
        assert {"belvedere"} <= set(document["tags"])
        for text in asked:
            assert "r.bucket" not in text and "$__all" not in text and "rawSql" not in text
            assert "tsv_parser_" in text
            if flux:
                assert r"me\x22ta \x24__all" in text


def uploads(services: Services) -> datetime:
    """Write what came of eight files of two tenants."""
    now = datetime.now(UTC)
    for tenant in ("acme", "beta"):
        services.tenants.create(SYSTEM, tenant)
    with services.database.transaction() as connection:
        for number in range(8):
            serial = services.tenants.get(SYSTEM, "beta" if number == 7 else "acme").serial
            run, bad = uuid4(), number in {2, 5}
            began = now - timedelta(hours=number + 1)
            connection.execute(
                "INSERT INTO intake_run (id, tenant_id, started_at) VALUES (%s, %s, %s)", [run, serial, began])
            connection.execute(
                "INSERT INTO upload (id, tenant_id, device, folder, name, size_bytes, file, changed_ns, still_since, "
                "state, via, received_at, started_at, ended_at, points, rows, skipped, code, run) VALUES "
                "(%s, %s, '1', 'spring/1', %s, 2500000, '', 0, now(), %s, 'http', %s, %s, %s, %s, 10, 2, %s, %s)",
                [uuid4(), serial, f"f{number}.tsv", "refused" if bad else "parsed", began, began,
                 began + timedelta(seconds=2), 0 if bad else 60, "bad-meter-file" if bad else None, run])
    return now


@contextmanager
def as_built(services: Services) -> Iterator[Services]:
    yield services


def test_operators_see_it_at_every_door_with_nothing_installed_and_nobody_else_does(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads(services)
    app = create_app(services)
    olga, vera = browser(app, services, "olga", Role.OPERATOR), browser(app, services, "vera", Role.VIEWER)
    page = vera.get("/uploads/fleet").get_data(as_text=True)
    assert "Not in Grafana: No Grafana is set up here." in page and "Repair in Grafana" not in page
    assert ">acme</option>" in page and 'href="/uploads/fleet"' in vera.get("/uploads").get_data(as_text=True)

    def panel(name: str, **chosen: str) -> dict[str, Any]:
        asked = "&".join(f"{key.replace('var_', 'var-')}={value}" for key, value in chosen.items())
        answer = vera.get(f"/uploads/fleet/panels/{name}?{asked}", Accept="application/json")
        assert answer.json["state"] == "ok", answer.json
        return dict(answer.json)

    assert [panel(name)["rows"][0][0] for name in ("files", "failed", "tenants", "points", "bytes", "slowest")] == [
        8, 2, 2, 360, 20.0, 2.0]
    assert panel("files", var_tenant="beta")["rows"][0][0] == 1
    assert [row[:4] for row in panel("by-tenant")["rows"]] == [["acme", 7, 2, 84], ["beta", 1, 0, 12]]
    assert panel("reasons")["rows"] == [["bad-meter-file", 2]]
    assert [row[4] for row in panel("refused-files")["rows"]] == ["f2.tsv", "f5.tsv"]
    assert [row[1:] for row in panel("runs")["rows"]][-1] == ["beta", 1, 0, 60, 2]
    assert sum(one or 0 for row in panel("files-by-tenant")["rows"] for one in row[1:]) == 8
    assert "<td" in vera.get("/uploads/fleet/panels/by-tenant?from=now-2d").get_data(as_text=True)
    assert vera.get("/uploads/fleet?endpoint=x&panel_id=y&slug=z").status_code == 200
    refused = olga.post("/uploads/fleet/apply")
    assert refused.status_code == 400 and "No Grafana" in refused.get_data(as_text=True)
    key = services.tokens.create(SYSTEM, name="ci", role=Role.OPERATOR)[1].reveal()
    client, bearer = app.test_client(), {"Authorization": f"Bearer {key}"}
    told = client.get("/api/v1/fleet", headers=bearer).json
    assert (told["state"], told["url"]) == ("none", "") and told["why_not"].startswith("No Grafana")
    assert client.get("/api/v1/fleet/plan", headers=bearer).json["type"] == "/problems/fleet-unset"
    serial = services.tenants.get(SYSTEM, "acme").serial
    with pytest.raises(NotFound):
        services.fleet.viewer.layout(Actor(name="mallory", role=Role.OWNER, tenant=serial), rules.DASHBOARD_ID)
    monkeypatch.setattr(commands, "services", lambda: as_built(services))
    shown = CliRunner().invoke(command, ["show"])
    assert shown.exit_code == 0 and "No Grafana is set up here" in shown.output


def test_the_doors_plan_and_apply_and_say_what_was_done(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = replace(services, fleet=world.fleet)
    monkeypatch.setattr(commands, "services", lambda: as_built(here))
    assert CliRunner().invoke(command, ["plan", "--detailed-exitcode"]).exit_code == 3
    made_now = CliRunner().invoke(command, ["apply"]).output
    assert "+ Make the data source influxdb_uploads" in made_now
    assert "nothing to do" in CliRunner().invoke(command, ["plan", "--detailed-exitcode"]).output
    app = create_app(here)
    olga = browser(app, services, "olga", Role.OPERATOR)
    page = olga.get("/uploads/fleet").get_data(as_text=True)
    assert f"{URL}/d/" in page and "Repair in Grafana" in page
    world.source["name"] = "renamed"
    assert "1 to change" in olga.post("/uploads/fleet/apply", follow=True).get_data(as_text=True)
    key = services.tokens.create(SYSTEM, name="ci", role=Role.OPERATOR)[1].reveal()
    client, bearer = app.test_client(), {"Authorization": f"Bearer {key}"}
    world.source["access"] = "direct"
    plan = client.get("/api/v1/fleet/plan", headers=bearer).json
    assert plan["steps"][0]["changes"][0] == {"field": "access", "old": "direct", "new": "proxy"}
    done = client.post("/api/v1/fleet/apply", json={"restore": False}, headers=bearer).json
    assert done["summary"] == plan["summary"]
    assert client.get("/api/v1/fleet", headers=bearer).json["state"] == "ready"
