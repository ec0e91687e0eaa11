"""The real browser on pages of our own: ready or not, frames that differ, and nothing left behind."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from PIL import Image

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import NotFound
from belvedere.previews import browser
from belvedere.previews.capture import Chromium
from belvedere.previews.guard import descendants
from belvedere.previews.model import CaptureFailed, NoBrowser, Shape

SMALL = Shape(width=640, height=360, frames=5, delay_ms=80, timeout_s=20.0)

try:
    browser.find()
except NoBrowser:
    pytest.skip("there is no Chromium here", allow_module_level=True)

STYLE = "<style>body{margin:0;font:16px sans-serif} section{height:150px;margin:8px;background:#dbe4ee}</style>"


def page(body: str, attributes: str = 'data-page="dashboard"') -> tuple[int, str]:
    return 200, f"<!doctype html><html {attributes}><head><title>x</title>{STYLE}</head><body>{body}</body></html>"


def panels(count: int, state: str = "ok") -> str:
    one = '<section data-panel="p{}" data-row data-state="{}">Panel {}</section>'
    return "".join(one.format(number, state, number) for number in range(count))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "browsers"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    made = tmp_path / "desk"
    made.mkdir()
    return made


@pytest.fixture
def chromium(place: Path) -> Chromium:
    return Chromium(place=place, shape=SMALL)


@pytest.fixture(autouse=True)
def nothing_is_left(place: Path):
    yield
    assert descendants(os.getpid()) == [] or not any("chrom" in _name(pid) for pid in descendants(os.getpid()))
    assert list(place.glob("*/")) == []


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return ""


def frames(gif: Path) -> list[tuple[bytes, int]]:
    found = []
    with Image.open(gif) as image:
        for number in range(image.n_frames):
            image.seek(number)
            found.append((image.convert("RGB").tobytes(), image.info["duration"]))
    return found


def test_a_tall_dashboard_is_toured_row_by_row(chromium, site, desk) -> None:
    site.pages["/d"] = page(panels(8))
    film = chromium.film(f"{site.url}/d", desk)
    shown = frames(film.gif)
    assert len(shown) == film.frames == 5
    assert len({pixels for pixels, _ in shown}) == 5
    assert sum(delay for _, delay in shown) == 5 * 80
    with Image.open(film.png) as still:
        assert still.size == (640, 360)
        # One palette for all frames moves a colour by a few steps at most.
        pairs = zip(still.convert("RGB").tobytes(), shown[0][0], strict=True)
        assert max(abs(one - other) for one, other in pairs) < 40


def test_the_pages_own_tour_is_taken_step_by_step(chromium, site, desk) -> None:
    site.pages["/d"] = page(
        panels(1)
        + "<script>window.belvedere = {tour: (frames) => ['red', 'green'].map((colour) => async (number, count) => {"
        "await new Promise((done) => setTimeout(done, 30));"
        "document.body.style.background = colour; document.title = `${number}/${count}`; })};</script>"
    )
    film = chromium.film(f"{site.url}/d", desk)
    shown = frames(film.gif)
    corners = [Image.frombytes("RGB", (640, 360), pixels).getpixel((639, 359)) for pixels, _ in shown]
    assert [max(range(3), key=corner.__getitem__) for corner in corners[1:]] == [0, 1]
    assert [delay for _, delay in shown] == [80, 160, 160]


def test_a_short_dashboard_without_a_tour_gets_a_light_on_each_panel(chromium, site, desk) -> None:
    site.pages["/d"] = page(panels(2))
    assert len({pixels for pixels, _ in frames(chromium.film(f"{site.url}/d", desk).gif)}) == 3


def test_a_page_with_neither_is_filmed_and_identical_frames_cost_nothing(chromium, site, desk) -> None:
    site.pages["/d"] = page("<p>still</p>")
    film = chromium.film(f"{site.url}/d", desk)
    assert film.frames == 1
    site.pages["/m"] = page(
        "<p id=t></p><script>let n = 0;"
        "setInterval(() => { document.getElementById('t').textContent = ++n; }, 20);</script>"
    )
    assert chromium.film(f"{site.url}/m", desk).frames == 5


def test_it_waits_until_every_panel_is_drawn_or_in_error(chromium, site, desk) -> None:
    site.pages["/d"] = page(
        panels(2, "loading")
        + "<script>const [a, b] = document.querySelectorAll('[data-panel]');"
        "setTimeout(() => { a.dataset.state = 'ok'; }, 200);"
        "setTimeout(() => { b.dataset.state = 'error'; document.body.style.background = 'rgb(0,128,0)'; }, 500);"
        "</script>"
    )
    film = chromium.film(f"{site.url}/d", desk)
    with Image.open(film.png) as still:
        assert still.convert("RGB").getpixel((639, 359)) == (0, 128, 0)


@pytest.mark.parametrize(
    ("body", "attributes", "reason"),
    [
        (panels(2, "loading"), "", "2 of 2 panels are not drawn: p0, p1"),
        (panels(1) + '<div class="spinner" style="width:9px;height:9px"></div>', "", "1 things are still loading"),
        (panels(1), 'data-ready="false"', "the page does not say that it is ready"),
        ('<img src="/never">', "", "the page is still loading"),
    ],
)
def test_a_page_that_is_never_ready_fails_with_its_reason_and_a_still(place, site, desk, *, body, attributes, reason):
    held = threading.Event()

    def never() -> tuple[int, str]:
        held.wait(20)
        return 200, ""

    site.pages["/never"] = never
    site.pages["/d"] = page(body, attributes)
    # All of it passes. Half of that was too little for a browser to start and be looked at beside much other work.
    camera = Chromium(place=place, shape=Shape(640, 360, frames=3, delay_ms=50, timeout_s=6.0))
    with pytest.raises(CaptureFailed) as failed:
        camera.film(f"{site.url}/d", desk)
    held.set()
    assert reason in failed.value.detail
    with Image.open(failed.value.still) as still:
        assert still.size == (640, 360)


def test_the_sign_in_page_is_never_captured(chromium, site, desk) -> None:
    site.pages["/capture/t"] = (303, "/sign-in")
    site.pages["/sign-in"] = page("<form><input type=password></form>", 'data-page="sign-in"')
    with pytest.raises(CaptureFailed, match="sign-in page"):
        chromium.film(f"{site.url}/capture/t", desk)


def test_a_page_that_answers_badly_is_not_captured(chromium, site, desk) -> None:
    site.pages["/d"] = (500, "<h1>broken</h1>")
    with pytest.raises(CaptureFailed, match="answered 500"):
        chromium.film(f"{site.url}/d", desk)


def test_a_portal_that_is_away_is_a_reason(chromium, desk) -> None:
    with pytest.raises(CaptureFailed, match="ERR_CONNECTION_REFUSED"):
        chromium.film("http://127.0.0.1:2/d", desk)


def test_a_redirect_leads_to_the_dashboard(chromium, site, desk) -> None:
    site.pages["/capture/t"] = (303, "/d?kiosk=1")
    site.pages["/d?kiosk=1"] = page(panels(2))
    assert chromium.film(f"{site.url}/capture/t", desk).frames > 1


def test_a_step_that_throws_is_a_reason(chromium, site, desk) -> None:
    throwing = "() => { throw new Error('no such panel'); }"
    site.pages["/d"] = page(f"<script>window.belvedere = {{tour: [{throwing}]}};</script>")
    with pytest.raises(CaptureFailed, match="no such panel"):
        chromium.film(f"{site.url}/d", desk)


def test_a_dialog_does_not_hold_the_capture(chromium, site, desk) -> None:
    site.pages["/d"] = page(panels(2) + "<script>alert('hello');</script>")
    assert chromium.film(f"{site.url}/d", desk).frames > 1


def test_a_busy_page_is_ended_at_the_deadline(place, site, desk) -> None:
    site.pages["/d"] = page(panels(1) + "<script>window.belvedere = {tour: [() => { for (;;); }]};</script>")
    camera = Chromium(place=place, shape=Shape(640, 360, frames=3, delay_ms=50, timeout_s=3.0))
    with pytest.raises(CaptureFailed, match="3 s"):
        camera.film(f"{site.url}/d", desk)


def test_a_greedy_page_is_ended_at_its_memory(place, site, desk) -> None:
    site.pages["/d"] = page(
        panels(1, "loading")
        + "<script>const kept = [];"
        "setInterval(() => { const one = new Uint8Array(64e6); one.fill(1); kept.push(one); }, 5);</script>"
    )
    camera = Chromium(place=place, shape=Shape(640, 360, frames=3, timeout_s=30.0, memory_bytes=700_000_000))
    with pytest.raises(CaptureFailed, match="memory"):
        camera.film(f"{site.url}/d", desk)


def test_a_browser_that_is_killed_is_a_reason(chromium, site, desk) -> None:
    def kill() -> tuple[int, str]:
        for pid in descendants(os.getpid()):
            if _name(pid).startswith("chrom"):
                os.kill(pid, signal.SIGKILL)
        return 200, ""

    site.pages["/d"] = page(panels(1, "loading") + "<script>fetch('/kill');</script>")
    site.pages["/kill"] = kill
    with pytest.raises(CaptureFailed, match="ended by itself"):
        chromium.film(f"{site.url}/d", desk)


def test_a_page_reaches_nobody_but_the_portal(chromium, site, desk) -> None:
    site.pages["/d"] = page(
        panels(1, "loading")
        + "<script>fetch('http://localhost:" + site.url.rpartition(":")[2] + "/leak', {mode: 'no-cors'}).catch(() => 0)"
        ".finally(() => { document.querySelector('[data-panel]').dataset.state = 'ok'; });</script>"
    )
    chromium.film(f"{site.url}/d", desk)
    assert "/leak" not in site.seen


def test_the_browser_knows_no_secret_of_ours(place, tmp_path, site, desk, monkeypatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    seen = tmp_path / "environment"
    program = tmp_path / "browser"
    program.write_text(f"#!/bin/sh\nenv > {seen}\n")
    program.chmod(0o755)
    with pytest.raises(CaptureFailed, match="ended by itself"):
        Chromium(place=place, shape=SMALL, program=str(program)).film(f"{site.url}/d", desk)
    assert "xoxb-secret" not in seen.read_text()


def test_without_a_browser_it_says_so_and_what_to_do(place, desk, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(desk))
    camera = Chromium(place=place, shape=SMALL)
    assert not camera.state().ready
    assert "apt-get install chromium" in camera.state().hint
    with pytest.raises(NoBrowser):
        camera.film("http://127.0.0.1/", desk)
    named = Chromium(place=place, shape=SMALL, program="/no/such").state()
    assert "/no/such" in named.text
    assert "switched off" in Chromium(place=place, shape=SMALL, enabled=False).state().text


OWNER = """
import sys, os
from pathlib import Path
from belvedere.previews.capture import Chromium
from belvedere.previews.model import Shape
Chromium(place=Path(sys.argv[1]), shape=Shape(640, 360, timeout_s=60.0)).film(sys.argv[2], Path(sys.argv[3]))
"""


def _own(place: Path, site, desk: Path) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    """Start a capture that never gets ready in a process of its own; return it and everything below it."""
    asked = threading.Event()

    def ask() -> tuple[int, str]:
        asked.set()
        return 200, ""

    site.pages["/d"] = page(panels(1, "loading") + "<script>fetch('/ask');</script>")
    site.pages["/ask"] = ask
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(place), f"{site.url}/d", str(desk)])
    assert asked.wait(30)
    return owner, [psutil.Process(pid) for pid in descendants(owner.pid)]


def test_a_killed_owner_leaves_no_browser(place, site, desk) -> None:
    owner, below = _own(place, site, desk)
    owner.kill()
    owner.wait(10)
    _, alive = psutil.wait_procs(below, timeout=15)
    assert alive == []


def test_a_killed_owner_and_guard_leave_no_browser(place, site, desk) -> None:
    owner, below = _own(place, site, desk)
    guards = [one for one in below if any("guard.py" in part for part in one.cmdline())]
    assert len(guards) == 1
    owner.kill()
    guards[0].kill()
    owner.wait(10)
    _, alive = psutil.wait_procs(below, timeout=15)
    assert alive == []
    assert browser.end_leftovers(place) == 1


def test_leftovers_are_ended_and_browsers_with_an_owner_are_not(place, tmp_path) -> None:
    left = place / "left"
    left.mkdir(parents=True)
    (left / "owner").touch()
    stray = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", f"--user-data-dir={left}"])
    while not psutil.Process(stray.pid).cmdline():
        pass
    owned = place / "owned"
    owned.mkdir()
    held = (owned / "owner").open("wb")
    fcntl.flock(held, fcntl.LOCK_EX)
    assert browser.end_leftovers(place) == 1
    assert stray.wait(10) == -signal.SIGKILL
    assert not left.exists()
    assert owned.exists()
    held.close()
    assert browser.end_leftovers(place) == 1


def test_the_whole_room_with_the_real_browser(room, place, site, tmp_path) -> None:
    opened = []

    def enter(path: str):
        def redeem() -> tuple[int, str]:
            session, grant = room.service.tokens.redeem(path.rpartition("/")[2])
            opened.append(grant)
            assert room.service.tokens.grant(session.reveal())
            return 303, "/d?kiosk=1"

        return redeem

    class Pages(dict):
        def get(self, path, default=None):
            return enter(path) if path.startswith("/capture/") else super().get(path, default)

    site.pages = Pages({"/d?kiosk=1": page(panels(6))})
    room.service._camera = Chromium(place=place, shape=SMALL)
    room.service._sights._portal_url = site.url
    dashboard = room.dashboard()
    room.settle()
    made = room.service.latest(SYSTEM, dashboard)
    assert (made.state, opened[0].dashboard_id) == ("captured", dashboard)
    assert made.frames == 5
    with pytest.raises(NotFound):
        room.service.tokens.redeem(site.seen[0].rpartition("/")[2])


def test_an_encoder_that_is_killed_is_a_reason(chromium, site, desk) -> None:
    def kill() -> tuple[int, str]:
        for pid in descendants(os.getpid()):
            if "belvedere.previews.encode" in psutil.Process(pid).cmdline():
                os.kill(pid, signal.SIGKILL)
        return 200, ""

    site.pages["/d"] = page(panels(8) + "<script>fetch('/kill');</script>")
    site.pages["/kill"] = kill
    with pytest.raises(CaptureFailed, match="could not be encoded"):
        chromium.film(f"{site.url}/d", desk)
