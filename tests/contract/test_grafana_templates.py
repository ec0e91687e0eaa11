"""Every template in the real Grafana with real data: no panel in error, the figures of the viewer, captured."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from PIL import Image
from tests.unit.previews.conftest import Site

from belvedere.app import Services
from belvedere.dashboards.model import Dashboard
from belvedere.kernel.actor import SYSTEM
from belvedere.previews import grafana_script
from belvedere.sample.tables import TABLES
from belvedere.tenants.model import Tenant
from browser import PROGRAM, Page, browser
from grafana_installation import installation, published, run, tenant_with_sample
from grafana_world import REAL, access_of

pytestmark = [
    pytest.mark.contract, pytest.mark.timeout(900),
    pytest.mark.skipif(not REAL or not PROGRAM, reason="BELVEDERE_TEST_GRAFANA_URL is not given, or no Chromium"),
]
PREFIXES = {"m": 1e-3, "µ": 1e-6, "n": 1e-9, "k": 1e3}
DRAWN = r"""
(() => { const data = window.grafanaRuntime.getPanelData(), said = {};
  for (const panel of window.grafanaRuntime.getDashboardSaveModel().panels) {
    const one = data[panel.id], place = document.querySelector(`[data-panelid="${panel.id}"]`);
    said[panel.id] = {state: one ? one.state : "", error: one && one.error ? one.error.message || "error" : "",
      text: place ? place.innerText : "", fields: one ? one.series.flatMap((frame) => frame.fields.map((field) =>
        ({name: field.name, type: field.type, values: [...field.values]}))) : []};
  }
  return said; })()
"""


@dataclass
class Sampled:
    """One tenant with the sample's tables, and all its dashboards in the real Grafana."""

    services: Services
    tenant: Tenant
    boards: list[Dashboard]
    drawn: dict[str, dict[int, Any]] = field(default_factory=dict)

    @property
    def organisation(self) -> int:
        return int(self.boards[0].url.rpartition("=")[2])

    def look(self, page: Page, url: str, chosen: dict[str, str]) -> dict[int, Any]:
        """Open a dashboard as a person does, and read off what each of its panels shows."""
        page.size(1600, 6000)
        page.go("about:blank")
        page.go(url + "&kiosk" + "".join(f"&var-{name}={value}" for name, value in chosen.items()))
        page.until(f"(({grafana_script.PROBE}).missing.length === 0)", 60)
        found = page.value(DRAWN)
        home(self)
        return {int(number): one for number, one in found.items()}


@pytest.fixture(scope="module")
def sampled(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sampled]:
    with installation(cluster, tmp_path_factory.mktemp("sampled") / "home") as services:
        tenant = tenant_with_sample(services)
        boards = published(services, tenant, tables=len(TABLES))
        yield Sampled(services, tenant, boards)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    access = access_of(REAL)
    with browser(access.url, seconds=600) as found:
        login = base64.b64encode(f"{access.user}:{access.password.reveal()}".encode()).decode()
        found.tools.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {login}"})
        yield found


def numbers(values: list[Any], factor: float = 1.0) -> Counter[str]:
    return Counter(f"{one * factor:.6g}" for one in values if isinstance(one, int | float) and one != 0)


def in_grafana(panel: dict[str, Any]) -> Counter[str]:
    return sum((numbers(one["values"]) for one in panel["fields"] if one["type"] == "number"), Counter())


def in_viewer(data: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for place, column in enumerate(data.columns):
        factor = PREFIXES.get(column.unit[:1], 1.0) if column.unit[1:] == "W" else 1.0
        found += numbers([row[place] for row in data.rows], factor)
    return found


def test_every_template_is_drawn_without_an_error_and_with_the_viewers_figures(sampled: Sampled, page: Page) -> None:
    services = sampled.services
    assert {one.template for one in sampled.boards} == {"drc", "generic", "metrics-history", "timing-paths"}
    equal, wrong, bucketed = 0, [], 0
    for board in sampled.boards:
        shown = services.dashboards.shown(SYSTEM, board.id)
        layout = services.viewer.layout(SYSTEM, board.id)
        single = {one.name for one in shown.model.variables if one.role and not one.optional}
        chosen = {one.name: one.value for one in layout.variables if one.name in single}
        drawn = sampled.look(page, board.url, chosen)
        [publication] = [
            one for one in services.dashboards.publications(sampled.tenant.serial) if one.dashboard_id == board.id]
        ids = [one["id"] for one in publication.document["panels"] if one["type"] != "row"]
        for number, panel in zip(ids, (one for row in shown.model.rows for one in row.panels), strict=True):
            theirs = drawn[number]
            ours = services.viewer.panel(SYSTEM, board.id, panel.id, start="now-10y", end="now")
            name = f"{board.table}: {panel.title}"
            if theirs["error"] or theirs["state"] == "Error" or ours.state == "error":
                wrong.append(f"{name}: {theirs['error']} {ours.message}")
            elif ours.rows and re.search(r"No data|No rows in this range", theirs["text"]):
                wrong.append(f"{name}: no data")
            elif panel.query and panel.query.kind == "series" and shown.model.run is None:
                bucketed += 1  # Grafana's buckets are as wide as its pixels ask
            elif panel.query and panel.query.kind != "profile":
                missing = in_grafana(theirs) - in_viewer(ours)
                equal += not missing
                wrong += [f"{name}: {dict(missing)} not in {dict(in_viewer(ours))}"[:300]] if missing else []
    assert wrong == [], "\n".join([f"{equal} equal", *wrong])
    assert equal > 100


def capture(sampled: Sampled, board: Dashboard) -> Any:
    previews = sampled.services.previews
    made = previews.request(SYSTEM, board.id)
    previews.capture(str(board.id))
    return previews.get(SYSTEM, made.id)


def test_the_real_page_is_captured_and_the_token_is_gone_after_it(sampled: Sampled) -> None:
    board = next(one for one in sampled.boards if one.table == "ibex_setup_paths")
    made = capture(sampled, board)
    assert (made.state, made.error, made.width, made.height) == ("captured", None, 1920, 1080)
    with Image.open(sampled.services.previews.file(SYSTEM, made.id, "png")) as still:
        assert len(still.convert("RGB").getcolors(1 << 24) or []) > 40
    [message] = sampled.services.notifications.list(SYSTEM, limit=1).items
    assert message.url == board.url
    with ask(sampled) as admin:
        accounts = admin.get("/api/serviceaccounts/search").json()["serviceAccounts"]
    assert [one["tokens"] for one in accounts] == [0]


def ask(sampled: Sampled, organisation: int = 0) -> httpx2.Client:
    access = access_of(REAL)
    return httpx2.Client(
        base_url=access.url, auth=(access.user, access.password.reveal()), timeout=30,
        headers={"X-Grafana-Org-Id": str(organisation or sampled.organisation)})


def test_the_link_opens_the_tenants_organisation_whoever_follows_it(sampled: Sampled) -> None:
    with ask(sampled) as person:
        del person.headers["X-Grafana-Org-Id"]
        person.follow_redirects = True  # Grafana changes the organisation, then opens the page again
        text = person.get(sampled.boards[0].url).text
    home(sampled)
    [boot] = re.findall(r'"orgId":(\d+),"orgName"', text)
    assert int(boot) == sampled.organisation


def home(sampled: Sampled) -> None:
    """Make the first organisation the administrator's current one again: a link moves whoever follows it."""
    with ask(sampled, 1) as person:
        person.post("/api/user/using/1").raise_for_status()


def test_a_hostile_dashboard_that_came_in_reaches_nothing_and_its_error_is_said(sampled: Sampled) -> None:
    elsewhere = Site()
    services, board = sampled.services, next(one for one in sampled.boards if one.table == "compute_jobs")
    source = {"type": "grafana-postgresql-datasource", "uid": "${DS_PG}"}
    grid = {"h": 8, "w": 24, "x": 0}
    given = {
        "__inputs": [{"name": "DS_PG", "type": "datasource", "pluginId": "grafana-postgresql-datasource"}],
        "title": "Hostile", "schemaVersion": 39, "panels": [
            {"id": 1, "type": "text", "title": "Look", "gridPos": {**grid, "y": 0}, "options": {"mode": "html",
             "content": f"<img src='{elsewhere.url}/a.png'><iframe src='{elsewhere.url}/f'></iframe>"}},
            *({"id": place, "type": "table", "title": title, "gridPos": {**grid, "y": place * 16}, "datasource": source,
               "targets": [{"refId": "A", "datasource": source, "rawSql": text, "format": "table", "rawQuery": True}]}
              for place, title, text in ((2, "Broken", "SELECT nope"),
                                         (3, "Good", "SELECT count(*) FROM ${VAR_SCHEMA}.${VAR_TABLE}"))),
        ],
    }
    services.templates.bring(SYSTEM, json.dumps(given).encode(), name="hostile")
    services.templates.choose(SYSTEM, board.id, "hostile")
    run(services, "workspaces.provision", sampled.tenant.serial)
    made = capture(sampled, board)
    elsewhere.close()
    services.templates.remove(SYSTEM, "hostile")
    run(services, "workspaces.provision", sampled.tenant.serial)
    assert made.state == "captured"
    assert made.error.startswith("1 of 3 panels shows an error: Broken (")
    assert elsewhere.seen == []


def test_ours_goes_out_and_a_fresh_organisation_imports_it_with_the_same_figures(sampled: Sampled, page: Page) -> None:
    services = sampled.services
    with ask(sampled, 1) as server:
        fresh = server.post("/api/orgs", json={"name": f"fresh {sampled.tenant.name}"}).json()["orgId"]
    with ask(sampled, fresh) as person:
        for table in ("swerv_setup_paths", "swerv_route_drc"):
            board = next(one for one in sampled.boards if one.table == table)
            store = services.stores.get(SYSTEM, board.store_id)
            login, password = services.stores.reader_login(store.id)
            made = person.post("/api/datasources", json={
                "name": table, "type": "postgres", "access": "proxy", "url": f"{store.host}:{store.port}",
                "user": login, "jsonData": {"database": store.database, "sslmode": "disable"},
                "secureJsonData": {"password": password.reveal()}}).json()["datasource"]
            exported = services.templates.export(SYSTEM, board.id)
            [asked] = exported["__inputs"]
            wanted = {key: asked[key] for key in ("name", "type", "pluginId")} | {"value": made["uid"]}
            answer = person.post("/api/dashboards/import", json={
                "dashboard": json.loads(json.dumps(exported)), "inputs": [wanted], "overwrite": False})
            assert answer.status_code == 200, answer.text
            url = f"{access_of(REAL).url}{answer.json()['importedUrl']}?orgId={fresh}"
            drawn, theirs = sampled.look(page, board.url, {}), sampled.look(page, url, {})
            assert {number: in_grafana(one) for number, one in theirs.items()} == {
                number: in_grafana(one) for number, one in drawn.items()}
            assert sum(map(len, map(in_grafana, theirs.values()))) > 50
            assert [one["error"] for one in theirs.values() if one["error"]] == []
    with ask(sampled, 1) as server:
        server.delete(f"/api/orgs/{fresh}")


def test_what_a_person_made_of_a_dashboard_becomes_the_template_of_its_kind(sampled: Sampled) -> None:
    services, serial = sampled.services, sampled.tenant.serial
    board = next(one for one in sampled.boards if one.table == "jpeg_setup_paths")
    with ask(sampled) as person:
        uid = board.url.rpartition("/")[2].partition("?")[0]
        stored = person.get(f"/api/dashboards/uid/{uid}").json()
        theirs = stored["dashboard"]
        theirs["panels"][1]["title"] = "Changed by a person"
        body = {"dashboard": theirs, "folderUid": stored["meta"]["folderUid"], "overwrite": False}
        assert person.post("/api/dashboards/db", json=body).status_code == 200
        run(services, "workspaces.provision", serial)
        services.templates.take_theirs(SYSTEM, board.id, name="ours-now", stands_for="timing-paths")
        run(services, "workspaces.provision", serial)
        assert not services.workspaces.plan(SYSTEM, serial)
        found = {}
        for one in sampled.boards:
            if one.template == "timing-paths":
                uid = one.url.rpartition("/")[2].partition("?")[0]
                found[one.table] = person.get(f"/api/dashboards/uid/{uid}").json()["dashboard"]
    assert {one["panels"][1]["title"] for one in found.values()} == {"Changed by a person"}
    assert '"swerv_setup_paths"' in json.dumps(found["swerv_setup_paths"]).replace('\\"', '"')
    services.templates.remove(SYSTEM, "ours-now")
