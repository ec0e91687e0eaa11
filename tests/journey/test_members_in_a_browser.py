"""From an operator's link to a member's home in a real Chromium; narrow, wide, dark, light, under the strict policy."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import PROGRAM, Page, browser
from tests.journey.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PROGRAM, reason="no Chromium here"),
]

PASSWORD = "a fine november password"
PICTURES = os.environ.get("BELVEDERE_TEST_PICTURES", "")
"""A folder to leave pictures in, for somebody who wants to look."""


@pytest.fixture(scope="module")
def page(installation: Installation) -> Iterator[Page]:
    with browser(installation.url, seconds=400) as opened:
        opened.size(1280, 900)
        yield opened


def _open(page: Page, path: str) -> None:
    page.errors.clear()
    page.go(path)


def _picture(page: Page, name: str) -> None:
    if PICTURES:
        page.picture(Path(PICTURES) / f"{name}.png")


def _join(page: Page, link: str, name: str, email: str) -> None:
    _open(page, link)
    page.fill("#f-name", name)
    page.fill("#f-email", email)
    page.fill("#f-password", PASSWORD)
    page.fill("#f-again", PASSWORD)
    page.click("main form button.primary")
    page.until("location.pathname.startsWith('/tenants/') && document.readyState === 'complete'")


def test_a_link_leads_to_the_members_home(installation: Installation, page: Page) -> None:
    made = json.loads(
        installation.cli("tenant", "create", "hooli", "--member", "olga@example.org", "--wait", "60", "--json")
    )
    _open(page, made["invitation"])
    assert page.value("document.querySelector('#f-email').value") == "olga@example.org"
    _picture(page, "invitation-light")
    _join(page, made["invitation"], "Olga Nilsson", "olga@example.org")
    assert page.value("location.pathname") == "/tenants/hooli"
    _open(page, "/")
    shown = page.value("document.querySelector('.nav').innerText")
    assert re.findall(r"[A-Z]\w+(?: keys)?", shown) == [
        "Look", "Home", "Dashboards", "Data", "Overview", "Stores", "Campaigns", "Uploads", "SFTP", "Workspace",
        "Tenant", "Deliveries", "Credentials", "API keys", "Members", "History", "Settings",
    ]  # fmt: skip
    assert page.errors == []


def test_an_owner_invites_and_sees_who_comes_without_a_reload(installation: Installation, page: Page) -> None:
    _open(page, "/tenants/hooli/members")
    assert "Only you." in page.value("document.body.innerText")
    page.fill("#f-email", "pavel@example.org")
    page.click("#invite button.primary")
    page.until("document.querySelector('#link')")
    link = str(page.value("document.querySelector('#link').innerText"))
    _picture(page, "members-made")
    page.value("window.sameDocument = true")
    page.until("document.querySelector('.head .live').dataset.mode === 'live'")
    with browser(installation.url, seconds=120) as other:
        other.size(390, 844)
        _join(other, link, "Pavel", "pavel@example.org")
        other.go("/tenants/hooli/members")
        assert other.value("document.querySelector('#invite')") is None, "a viewer invites nobody"
        assert other.errors == []
    page.until("document.querySelector('#member-list').innerText.includes('Pavel')")
    page.until("document.querySelector('#open-links').innerText.includes('None is open')")
    assert page.value("window.sameDocument") is True
    assert page.errors == []


def test_somebody_in_two_tenants_changes_between_them(installation: Installation, page: Page) -> None:
    made = json.loads(
        installation.cli("tenant", "create", "pied-piper", "--member", "olga@example.org", "--wait", "0", "--json")
    )
    _open(page, made["invitation"])
    page.until("document.querySelector('main').innerText.includes('You are signed in as Olga Nilsson')")
    _picture(page, "join")
    page.click("main form[action$='/join'] button")
    page.until("location.pathname === '/tenants/pied-piper' && document.readyState === 'complete'")
    page.click(".tenant-menu summary")
    _picture(page, "switch-light")
    page.value("[...document.querySelectorAll('.tenant-menu a')].find((it) => it.innerText.includes('hooli')).click()")
    page.until("location.pathname === '/tenants/hooli' && document.readyState === 'complete'")
    assert page.errors == []


PAGES = (
    "/", "/tenants/hooli", "/tenants/hooli/members", "/tenants/hooli/keys", "/tenants/hooli/credentials",
    "/tenants/hooli/history", "/tenants/hooli/settings", "/tenants/hooli/deliveries", "/me", "/search?q=hooli",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_members_page_fits_390_pixels_and_obeys_the_policy(page: Page, path: str) -> None:
    name = re.sub(r"\W+", "-", path).strip("-") or "home"
    for width, dark in ((1280, False), (1280, True), (390, True), (390, False)):
        page.size(width, 900 if width > 400 else 844, dark=dark, mobile=width < 400)
        _open(page, path)
        page.until("document.documentElement.classList.contains('no-js') === false")
        assert page.value("document.documentElement.scrollWidth") <= width
        assert page.errors == []
        _picture(page, f"{name}-{width}-{'dark' if dark else 'light'}")
    page.size(1280, 900)


def test_what_members_may_not_see_is_not_there(page: Page) -> None:
    for path in ("/tenants", "/jobs", "/settings", "/settings/operators", "/templates", "/history", "/first-run"):
        page.go(path)
        assert page.value("document.title") == "There is nothing here · Belvedere", path
