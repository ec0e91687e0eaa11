"""A page of Grafana before the camera: the token goes to its own address alone, and nothing wrong goes unsaid."""

from pathlib import Path

import pytest
from PIL import Image

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Later
from belvedere.kernel.secret import Secret
from belvedere.previews import browser
from belvedere.previews.capture import Chromium
from belvedere.previews.entrance import Entrance, Verdict
from belvedere.previews.model import CaptureFailed, Entry, NoBrowser, Shape
from belvedere.workspaces.grafana.passes import CapturePass

from .conftest import ALICE, Site

SMALL = Shape(width=640, height=360, frames=5, delay_ms=80, timeout_s=20.0)
TOKEN = "glsa_the-token"
NOWHERE = Verdict.REFUSE


def found() -> bool:
    try:
        browser.find()
    except NoBrowser:
        return False
    return True


with_browser = pytest.mark.skipif(not found(), reason="there is no Chromium here")


@pytest.mark.parametrize(
    ("method", "path", "verdict"),
    [
        ("GET", "/d/b1?orgId=2", Verdict.TOKEN), ("GET", "/api/dashboards/uid/b1", Verdict.TOKEN),
        ("POST", "/api/ds/query?ds_type=x", Verdict.TOKEN), ("GET", "/public/build/app.js", Verdict.PLAIN),
        ("GET", "/public/../api/org", Verdict.TOKEN), ("GET", "/public/%2e%2e/api/org", Verdict.TOKEN),
        ("POST", "/api/dashboards/db", Verdict.ANSWER), ("DELETE", "/api/x/query", Verdict.ANSWER),
        ("GET", "/api/live/ws", Verdict.ANSWER), ("POST", "/api/frontend-metrics", Verdict.ANSWER),
        ("POST", "/log-grafana-javascript-agent", Verdict.ANSWER),
    ],
)
def test_the_token_goes_with_what_reads(method: str, path: str, verdict: Verdict) -> None:
    entrance = Entrance(Entry("http://grafana:3000", Secret(TOKEN)))
    assert entrance.judge(method, f"http://grafana:3000{path}") is verdict


@pytest.mark.parametrize(
    "url",
    [
        "http://grafana:3001/team/d/x", "https://grafana:3000/team/d/x", "http://grafana.evil:3000/team/x",
        "http://grafana:3000@evil/team/x", "http://evil/team/?http://grafana:3000/team/", "http://grafana:3000/other/x",
        "http://grafana:3000/teams/x", "http://grafana:3000/team/../x", "http://grafana:3000/team/%2e%2e/x",
        "http://grafana:3000/team/..%5cx", "ws://grafana:3000/team/api/live/ws", "ftp://grafana:3000/team/x",
        "http://grafana:99999/team/x", "file:///etc/passwd", "chrome://settings",
    ],
)
def test_what_lies_outside_is_refused(url: str) -> None:
    assert Entrance(Entry("http://grafana:3000/team", Secret(TOKEN))).judge("GET", url) is NOWHERE


def test_names_and_ports_that_mean_the_same_are_the_same() -> None:
    entrance = Entrance(Entry("https://Grafana/team/", Secret(TOKEN)))
    assert entrance.judge("GET", "https://grafana:443/team/api/org") is Verdict.TOKEN
    assert entrance.judge("GET", "https://grafana/team") is Verdict.TOKEN
    assert Entrance(Entry("https://grafana", Secret(""))).judge("GET", "https://grafana/api/org") is Verdict.PLAIN


def board(site: Site, elsewhere: str, *, panels: int = 6, error: int = 0) -> None:
    """Put up a page that behaves as Grafana's does: states by `getPanelData`, panels below the window never ask."""
    site.pages["/d/b1?orgId=2"] = (200, f"""<!doctype html><html><head><style>body{{margin:0}}
      .react-grid-item{{height:180px;margin:0 0 20px;background:#dbe4ee}}</style></head><body>
      {"".join(f'<div class="react-grid-item" data-panelid="{n}"><h2>P{n}</h2><p class="x-panel-content">{n}</p></div>'
               for n in range(1, panels + 1))}
      <img src="{elsewhere}/picture.png"><img src="/leads-away.png"><iframe src="{elsewhere}/frame"></iframe>
      <script>
        for (const host of ["{elsewhere[7:]}", location.host]) new WebSocket("ws://" + host + "/api/live/ws");
        fetch("{elsewhere}/fetched").catch(() => 0); fetch("/api/leads-away").catch(() => 0); fetch("/public/x.js");
        fetch("/api/dashboards/db", {{method: "POST", body: "{{}}"}});
        const data = {{}};
        const look = () => document.querySelectorAll(".react-grid-item").forEach((one) => {{
          const id = Number(one.dataset.panelid);
          if (data[id] || one.getBoundingClientRect().top > innerHeight + 100) return;
          data[id] = {{state: "Loading"}};
          fetch("/api/q" + id).then(() => {{ data[id] = id === {error} ?
            {{state: "Error", error: {{message: "pq: no such column"}}}} : {{state: "Done"}}; }});
        }});
        setInterval(look, 20);
        window.grafanaRuntime = {{getPanelData: () => data, getDashboardSaveModel: () => ({{panels:
          [...document.querySelectorAll(".react-grid-item")].map((one) => ({{id: Number(one.dataset.panelid),
            type: "stat", title: "P" + one.dataset.panelid, targets: [{{}}]}}))}})}};
      </script></body></html>""")
    site.pages["/leads-away.png"] = site.pages["/api/leads-away"] = (302, f"{elsewhere}/from-a-redirect")
    for number in range(1, panels + 1):
        site.pages[f"/api/q{number}"] = (200, "{}")
    site.pages["/public/x.js"] = (200, "")


@pytest.fixture
def elsewhere():
    made = Site()
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    made = tmp_path / "desk"
    made.mkdir()
    return made


@pytest.fixture
def chromium(tmp_path: Path) -> Chromium:
    return Chromium(place=tmp_path / "browsers", shape=SMALL)


@with_browser
def test_a_hostile_dashboard_gets_the_token_nowhere_and_is_toured_to_its_end(chromium, site, elsewhere, desk) -> None:
    board(site, elsewhere.url, error=6)
    film = chromium.film(f"{site.url}/d/b1?orgId=2", desk, Entry(site.url, Secret(TOKEN)))
    assert elsewhere.seen == []
    assert {path for path, token in site.tokens.items() if token} >= {"/d/b1?orgId=2", "/api/q6", "/api/leads-away"}
    assert site.tokens["/public/x.js"] == ""
    assert not {"/api/live/ws", "/api/dashboards/db"} & set(site.seen)
    assert set(site.tokens.values()) == {"", f"Bearer {TOKEN}"}
    assert film.flaw == "1 of 6 panels shows an error: P6 (pq: no such column)."
    with Image.open(film.gif) as moving:
        assert (moving.size, film.frames) == ((640, 360), 5)


@with_browser
@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({"/d/b1?orgId=2": (302, "/login")}, "sign-in page"),
        ({"/d/b1?orgId=2": (302, "{elsewhere}/sso")}, "leads to {elsewhere}, where the browser does not go"),
        ({"/d/b1?orgId=2": (200, "<script>fetch('/api/dashboards/uid/b1')</script>")}, "404 for the dashboard"),
    ],
)
def test_what_is_not_the_dashboard_is_said(chromium, site, elsewhere, desk, *, pages, reason) -> None:
    site.pages = {path: (status, text.format(elsewhere=elsewhere.url)) for path, (status, text) in pages.items()}
    site.pages["/login"] = (200, "<form><input type=password></form>")
    with pytest.raises(CaptureFailed, match=reason.format(elsewhere=elsewhere.url)):
        chromium.film(f"{site.url}/d/b1?orgId=2", desk, Entry(site.url, Secret(TOKEN)))
    assert elsewhere.seen == []


def test_a_tenant_in_grafana_is_captured_there_and_its_pass_ends(room, camera) -> None:
    room.passes.of[ALICE] = CapturePass("http://127.0.0.1", Secret(TOKEN), 2, 7, 9, 0.0)
    dashboard = room.dashboard(url="http://127.0.0.1/d/b1?orgId=2")
    camera.flaw = "1 of 6 panels shows an error: P6."
    room.settle()
    made = room.service.latest(SYSTEM, dashboard)
    assert (made.state, made.error) == ("captured", camera.flaw)
    assert camera.seen == ["http://127.0.0.1/d/b1?orgId=2&kiosk&theme=light"]
    assert [entry.base for entry in camera.entries] == ["http://127.0.0.1"]
    assert room.passes.ended == [9]
    [message] = room.messages.list(SYSTEM).items
    assert (message.url, message.reason) == (f"http://127.0.0.1/go/{dashboard.hex}", camera.flaw)
    assert message.fallback == f"Look at the preview with care: {camera.flaw}"


@pytest.mark.parametrize(
    ("given", "url", "reason"),
    [
        (CapturePass("http://127.0.0.1", Secret(TOKEN), 3, 7, 9, 0.0), "http://127.0.0.1/d/b1?orgId=2", "not in the"),
        (CapturePass("http://127.0.0.1", Secret(TOKEN), 2, 7, 9, 0.0), "http://127.0.0.1.evil/d/b1?orgId=2", "not in"),
        (Later("Grafana is away.", code="grafana-away"), "http://127.0.0.1/d/b1?orgId=2", "Grafana is away"),
    ],
)
def test_a_way_that_is_closed_is_a_failed_attempt(room, camera, given, url, reason) -> None:
    room.passes.of[ALICE] = given
    dashboard = room.dashboard(url=url)
    room.settle()
    made = room.service.latest(SYSTEM, dashboard)
    assert made.state == "failed"
    assert reason in made.error
    assert camera.seen == []
