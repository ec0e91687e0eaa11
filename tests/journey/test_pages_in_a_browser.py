"""The pages in a real Chromium: live, by keyboard, narrow, dark, without scripts, under the strict policy."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from tests.browser import PROGRAM, Page, browser
from tests.journey.conftest import Installation, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PROGRAM, reason="no Chromium here"),
]

PASSWORD = "a-long-and-quiet-evening"
ROWS = """CREATE TABLE gcd_timing AS SELECT 'r' || n || '/CK' AS startpoint, 'r' || n || '/D' AS endpoint,
    CASE n % 3 WHEN 0 THEN 'reg2reg' WHEN 1 THEN 'in2reg' ELSE 'reg2out' END AS path_group,
    'clk' AS clock, 'slow' AS corner,
    (n - 40) / 100.0 AS slack, 1.0 AS arrival, 1.0 AS required, n % 30 AS levels FROM generate_series(0, 499) AS n"""


@pytest.fixture(scope="module")
def page(installation: Installation) -> Iterator[Page]:
    found = wait_for(lambda: re.search(r"with the password (\S+)", installation.log()), 20, "the password is printed")
    with browser(installation.url, seconds=400) as opened:
        opened.size(1280, 900)
        opened.sign_in("admin", found[1])
        opened.go("/me")
        opened.fill("input[name=old_password]", found[1])
        opened.fill("input[name=new_password]", PASSWORD)
        opened.value(
            "document.querySelector('input[name=again]') && (document.querySelector('input[name=again]').value = "
            f"{PASSWORD!r})"
        )
        opened.click("form[action$='/me/password'] button")
        opened.until("document.body.innerText.includes('Password changed')")
        yield opened


def _open(page: Page, path: str) -> None:
    page.errors.clear()
    page.go(path)


def _write_rows(api: httpx2.Client) -> None:
    [user] = [one for one in api.get("/api/v1/users").json() if one["username"] == "erin"]

    def value(key: str) -> str:
        answer = api.post(f"/api/v1/users/{user['id']}/credentials/{key}/reveal", json={"reason": "journey test"})
        return str(answer.json()["key_value"])

    with psycopg.connect(
        host=value("DB_HOST"),
        port=value("DB_PORT"),
        user=value("DB_USER"),
        password=value("DB_PASS"),
        dbname="erin-timing_report",
        autocommit=True,
    ) as writer:
        writer.execute(ROWS)


def test_a_tenant_is_made_and_its_steps_and_dashboard_show_without_a_reload(
    installation: Installation, page: Page
) -> None:
    _open(page, "/tenants/new")
    page.fill("#f-name", "erin")
    page.until("document.querySelector('#plan').innerText.includes('erin-QOR')")
    page.click("main form button.primary")
    page.until("document.title.startsWith('erin is being made')")
    _open(page, "/tenants/erin")
    page.value("window.sameDocument = true")
    page.until("document.querySelector('.head .live').dataset.mode === 'live'")
    page.until("document.querySelector('#tenant-head .pill').innerText.includes('Ready')", 60)

    with installation.client(installation.token()) as api:
        _write_rows(api)
    page.until("document.querySelector('#cards .preview-card')", 30)
    assert page.value("window.sameDocument") is True
    page.until("document.querySelector('#cards .preview-card img')?.complete", 60)
    assert page.value("window.sameDocument") is True
    assert page.errors == []


def _dashboard(page: Page) -> str:
    _open(page, "/tenants/erin/dashboards")
    return str(page.value("document.querySelector('.preview-card h3 a').getAttribute('href')"))


def test_every_panel_is_drawn_and_has_its_figures_as_a_table(page: Page) -> None:
    _open(page, _dashboard(page))
    page.until("document.documentElement.dataset.ready === 'true'", 30)
    states = page.value("[...document.querySelectorAll('[data-panel]')].map((it) => it.dataset.state)")
    assert states
    assert set(states) <= {"ok", "empty", "partial"}
    assert "ok" in states
    folds = page.value("document.querySelectorAll('.panel .values:not([hidden])').length")
    assert folds > 0
    page.click(".panel .values:not([hidden]) summary")
    page.until("document.querySelectorAll('.panel .values[open] tbody tr').length > 0")
    assert page.errors == []


def test_a_range_without_rows_says_so_in_the_panel(page: Page) -> None:
    path = _dashboard(page)
    _open(page, path + "?var-path_group=nothing-of-that-name")
    page.until("document.documentElement.dataset.ready === 'true'", 30)
    assert page.value("document.querySelectorAll('[data-state=error]').length") == 0
    assert page.errors == []


def test_files_that_are_chosen_are_sent_and_show_what_became_of_them(page: Page, tmp_path: Path) -> None:
    good, bad = tmp_path / "T302_260105.tsv", tmp_path / "T202_260105.tsv"
    rows = "".join(f"05/01/26 10:{minute:02}:00\t230.{minute}\n" for minute in range(0, 60, 10))
    good.write_text(f"02001084\t02001084\nMV_T302_V002\tPh 1 V\n{rows}")
    bad.write_text(good.read_text().replace("T302", "T202"))
    _open(page, "/tenants/erin/campaigns")
    page.value("window.sameDocument = true")
    page.fill("#f-campaign", "camp_base")
    page.fill("#f-device", "02001084")
    page.choose("#f-file", good, bad)
    page.until("document.querySelector('[data-sum]').innerText.startsWith('2 of 2 files sent')")
    page.value("document.activeElement.blur()")
    page.until("document.querySelector('#rows tbody a')?.innerText === 'camp_base'")
    assert page.value("window.sameDocument") is True
    _open(page, str(page.value("document.querySelector('#rows tbody a').getAttribute('href')")))
    page.until("document.querySelectorAll('#rows tbody tr').length === 2")
    page.until("/parsed/.test(document.querySelector('#rows').innerText)", 40)
    page.until("/MV_T202_V002/.test(document.querySelector('#rows').innerText)")
    assert page.value("document.querySelectorAll('.strip .on').length") >= 1
    refused = "[...document.querySelectorAll('#rows tbody tr')].find((row) => row.innerText.includes('T202'))"
    _open(page, str(page.value(f"{refused}.querySelector('a').getAttribute('href')")))
    assert "error/T202_260105.tsv" in str(page.value("document.querySelector('main').innerText"))
    assert page.errors == []


def test_how_much_of_a_file_came_stands_within_its_column(page: Page) -> None:
    _open(page, "/tenants/erin/campaigns")
    asked = "JSON.stringify({campaign: 'half', device: '02001084', name: 'T302_260106.tsv', size: 1800000})"
    page.value(
        "{const place = document.querySelector('[data-send]').dataset; window.answered = 0;"
        "fetch(`/api/v1/uploads?user=${place.user}`, {method: 'POST', headers: {'X-CSRF-Token': place.csrf,"
        f"'Content-Type': 'application/json'}}, body: {asked}}}).then((it) => {{ window.answered = it.status }})}}"
    )
    page.until("window.answered === 201")
    _open(page, "/tenants/erin/uploads")
    right = "getBoundingClientRect().right"
    words = "document.querySelector('td progress + span')"
    assert page.value(f"{words}.{right} <= {words}.parentNode.{right}") is True
    page.click("td form button")
    page.until("!document.querySelector('td progress')")
    assert page.errors == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tenants",
        "/tenants/erin",
        "/tenants/erin/credentials",
        "/tenants/erin/stores/timing_report",
        "/tenants/erin/settings",
        "/tenants/erin/workspace",
        "/tenants/erin/workspace/plan",
        "/tenants/erin/inventory",
        "/drift",
        "/dashboards",
        "/jobs",
        "/deliveries",
        "/history",
        "/templates",
        "/settings",
        "/settings/connections",
        "/settings/adoption",
        "/help",
        "/first-run",
        "/me",
        "/nothing-here",
    ],
)
def test_a_page_fits_390_pixels_and_obeys_the_policy(page: Page, path: str) -> None:
    page.size(390, 844, dark=True, mobile=True)
    try:
        _open(page, path)
        assert page.value("document.documentElement.scrollWidth") <= 390
        assert [one for one in page.errors if "status of 404" not in one] == []
        small = page.value(
            "[...document.querySelectorAll('main :is(p, td, th, a, span, dd, dt, li, label)')].filter((it) => "
            "it.innerText?.trim() && parseFloat(getComputedStyle(it).fontSize) < 12).length"
        )
        assert small == 0
    finally:
        page.size(1280, 900)


def test_a_secret_shows_after_a_reason_and_hides_again(page: Page) -> None:
    _open(page, "/tenants/erin/credentials")
    row = "[...document.querySelectorAll('.secret')].find((it) => it.innerText.includes('DB_USER'))"
    page.value(f"{row}.querySelector('[data-reveal]').click()")
    page.until("document.activeElement.name === 'reason'")
    page.tools.call("Input.insertText", text="looking at it in a test")
    page.press("Enter", "\r")
    page.until("document.querySelector('.secret .shown')?.innerText.startsWith('t_')")
    page.until("/hides in (2\\d|[1-9]) s/.test(document.querySelector('.secret [data-left]').innerText)")
    page.click(".secret [data-hide]")
    page.until("!document.querySelector('.secret .shown')")
    assert page.errors == []


def test_the_keyboard_leads_everywhere(page: Page) -> None:
    _open(page, "/")
    page.press("g")
    page.press("t")
    page.until("location.pathname === '/tenants' && document.readyState === 'complete'")
    page.press("j")
    page.until("document.activeElement.closest('tr')")
    page.press("/")
    page.until("document.querySelector('#search').open")
    page.tools.call("Input.insertText", text="gcd")
    page.until("document.querySelector('#hits a.hit')")
    page.press("Enter", "\r")
    page.until("location.pathname.includes('/dashboards/') && document.readyState === 'complete'")
    page.press("?")
    page.until("document.querySelector('#keys').open")
    assert page.errors == []


def test_pages_stand_without_scripts(page: Page) -> None:
    page.scripts(on=False)
    try:
        _open(page, "/tenants/new?name=frank")
        assert "frank-QOR" in page.value("document.body.innerText")
        assert page.value("getComputedStyle(document.querySelector('.no-js-only')).display") != "none"
    finally:
        page.scripts(on=True)


def test_the_theme_is_kept(page: Page) -> None:
    _open(page, "/help")
    page.click("[data-do=theme]")
    assert page.value("document.documentElement.dataset.theme") == "dark"
    _open(page, "/help")
    assert page.value("document.documentElement.dataset.theme") == "dark"
    page.click("[data-do=theme]")
