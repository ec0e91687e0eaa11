"""Tenants whose workspace is in Grafana, in a real Chromium: warnings, state, first passwords, taking over."""

import json
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import PROGRAM, Page, browser
from tests.journey.conftest import Installation, wait_for

from grafana_server import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PROGRAM, reason="no Chromium here"),
]

WARNING = "Data are NOT separated"


@pytest.fixture(scope="module")
def grafana() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def installation(grafana: Server) -> Iterator[Installation]:
    """One whose tenants are teams of one organisation, without the gateway that would keep their rows apart."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="belvedere-journey-") as folder:
        Path(folder).chmod(0o755)
        made = Installation(
            Path(folder) / "home", port, GRAFANA_BASE_URL=grafana.bare, GRAFANA_USER="admin", GRAFANA_PASSWORD="admin",
            BELVEDERE_WORKSPACE_TIER="team", CAPTURE_ENABLED="0",
        )
        try:
            made.start()
            made.cli("tenant", "create", "teamed", "--wait", "60")
            made.cli("member", "add", "teamed", "olga@example.org")
            wait_for(lambda: _state(made) == "ready", 60, "the team is complete")
            yield made
        finally:
            made.stop()


def _state(installation: Installation) -> str:
    return str(json.loads(installation.cli("workspace", "show", "teamed", "--json"))["state"])


@pytest.fixture(scope="module")
def page(installation: Installation) -> Iterator[Page]:
    found = wait_for(lambda: re.search(r"with the password (\S+)", installation.log()), 20, "the password is printed")
    with browser(installation.url, seconds=400) as opened:
        opened.size(1280, 900)
        opened.sign_in("admin", found[1])
        yield opened


def _open(page: Page, path: str) -> None:
    page.errors.clear()
    page.go(path)


@pytest.mark.parametrize("path", ["/tenants/teamed", "/tenants/teamed/workspace"])
def test_that_data_are_not_separated_is_said_and_can_be_read(page: Page, path: str) -> None:
    for width, dark in ((1280, False), (1280, True), (390, True), (390, False)):
        page.size(width, 900 if width > 400 else 844, dark=dark, mobile=width < 400)
        _open(page, path)
        found = page.value(
            "(() => { const all = [...document.querySelectorAll('.flash.warn')];"
            f" const it = all.find((one) => one.innerText.includes({WARNING!r}));"
            " if (!it) return null; const box = it.getBoundingClientRect();"
            " return [it.checkVisibility(), box.width, box.right, parseFloat(getComputedStyle(it).fontSize)]; })()"
        )
        assert found is not None, (path, width)
        visible, wide, right, size = found
        assert visible
        assert (wide > 200, right <= width, size >= 12) == (True, True, True)
        assert page.value("document.documentElement.scrollWidth") <= width
        assert page.errors == []
    page.size(1280, 900)


def test_state_and_trouble_of_a_workspace_renew_as_one(installation: Installation, grafana: Server, page: Page) -> None:
    _open(page, "/tenants/teamed/workspace")
    page.value("window.sameDocument = true")
    page.until("document.querySelector('.head .live').dataset.mode === 'live'")
    # Whatever is on the page at any moment: a pill and a banner that contradict each other are written down.
    page.value(
        "window.torn = []; new MutationObserver(() => { const part = document.querySelector('#workspace-state');"
        " const calm = part.querySelector('.pill').innerText.trim() === 'ready';"
        " if (calm === part.innerText.includes('Grafana does not answer')) window.torn.push(part.innerText); })"
        ".observe(document.querySelector('main'), {subtree: true, childList: true, characterData: true})"
    )
    with installation.client(installation.token()) as api:
        grafana.down = True
        try:
            assert api.post("/api/v1/tenants/teamed/workspace/apply").status_code == 202
            page.until("document.querySelector('#workspace-state').innerText.includes('Grafana does not answer')", 30)
            assert page.value("document.querySelector('#workspace-state .pill').innerText.trim()") == "waiting"
            assert page.value(f"document.querySelector('#workspace-state').innerText.includes({WARNING!r})")
        finally:
            grafana.down = False
        assert api.post("/api/v1/tenants/teamed/workspace/apply").status_code == 202
    page.until("!document.querySelector('#workspace-state').innerText.includes('Grafana does not answer')", 60)
    assert page.value("document.querySelector('#workspace-state .pill').innerText.trim()") == "ready"
    page.value("new Promise((done) => setTimeout(done))")
    assert page.value("window.torn.length") == 0
    assert page.value("window.sameDocument") is True
    assert page.errors == []


@pytest.mark.parametrize(
    ("path", "form"),
    [("/tenants/teamed/workspace", "form[action$='/workspace/password']"),
     ("/tenants/teamed/members", "#first-passwords form")],
)
def test_a_first_password_shows_once_to_be_copied_and_is_offered_no_more(page: Page, path: str, form: str) -> None:
    _open(page, path)
    page.click(f"{form} button")
    page.until("document.querySelector('#first-password')")
    assert len(page.value("document.querySelector('#first-password').innerText")) > 20
    assert page.value("document.querySelector('[data-of=first-password]').checkVisibility()")
    page.click("[data-of=first-password]")
    page.until("document.querySelector('#toast').innerText.length > 0")
    assert page.value(f"document.querySelector({form!r})") is None
    _open(page, path)
    assert page.value("document.querySelector('#first-password')") is None
    assert page.value(f"document.querySelector({form!r})") is None
    assert page.errors == []


def test_what_was_found_is_taken_over_and_its_progress_moves_by_itself(grafana: Server, page: Page) -> None:
    _open(page, "/settings/adoption")
    page.until("document.querySelector('#found').innerText.includes('Nothing to take over')")
    grafana.organisation("Tenant 7041 - northwind")
    for width, dark in ((390, True), (390, False), (1280, True), (1280, False)):
        page.size(width, 900 if width > 400 else 844, dark=dark, mobile=width < 400)
        _open(page, "/settings/adoption")
        page.until("document.querySelector('#found table')")
        assert page.value("document.documentElement.scrollWidth") <= width
        right = page.value("document.querySelector('#found td button').getBoundingClientRect().right")
        assert right <= width, "the button is in sight"
        assert page.errors == []
    page.click("#found td button")
    page.until("document.querySelector('#taken').innerText.includes('northwind')")
    page.value("window.sameDocument = true")
    page.until("document.querySelector('#taken .pill').innerText.trim() === 'ready'", 60)
    assert page.value("window.sameDocument") is True
    assert "northwind is taken over" in page.value("document.querySelector('#toast').innerText")
    assert page.errors == []


def test_the_findings_are_there_without_scripts(grafana: Server, page: Page) -> None:
    grafana.organisation("Tenant 7042 - initech")
    page.scripts(on=False)
    try:
        _open(page, "/settings/adoption")
        assert page.value("getComputedStyle(document.querySelector('#found .no-js-only')).display") != "none"
        page.click("#found .no-js-only a")
        page.until("document.querySelector('#found table')")
        assert "initech" in page.value("document.querySelector('#found').innerText")
    finally:
        page.scripts(on=True)
