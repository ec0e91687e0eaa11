"""Signing in and out, one's own settings, operators: through the pages, as a browser does it."""

import re

import pytest
from flask import Flask
from tests.unit.web.conftest import Browser

from belvedere.app import Services
from belvedere.identity.model import ONE_SIGN_IN
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.secret import Secret
from belvedere.web.context import SESSION_COOKIE

PASSWORD = "a fine november password"


@pytest.fixture
def alice(services: Services) -> str:
    services.accounts.create(SYSTEM, "alice", Role.OPERATOR, password=Secret("given over the phone"))
    return "given over the phone"


def cookie_of(answer) -> str:
    return next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(SESSION_COOKIE))


def csrf_of(text: str) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', text)[1]


def test_a_stranger_is_led_to_sign_in_and_back_to_where_they_wanted(nobody: Browser, alice: str) -> None:
    answer = nobody.get("/history?verb=tenant")
    assert answer.status_code == 303
    page = nobody.get(answer.headers["Location"])
    assert 'value="/history?verb=tenant"' in page.text
    answer = nobody.post("/sign-in", name="alice", password=alice, next="/history?verb=tenant")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/history?verb=tenant")
    assert nobody.get("/me").status_code == 200


@pytest.mark.parametrize("site", ["http://localhost", "https://localhost"])
def test_the_cookie_is_for_this_site_and_no_script(nobody: Browser, alice: str, site: str) -> None:
    form = {"name": "alice", "password": alice}
    cookie = cookie_of(nobody.client.post("/sign-in", data=form, base_url=site))
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert ("Secure" in cookie) == site.startswith("https")


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\tevil", "evil", "",
     "\\\\evil.example", "/\u2028x"],
)  # fmt: skip
def test_next_leads_to_own_pages_only(nobody: Browser, alice: str, address: str) -> None:
    answer = nobody.post("/sign-in", name="alice", password=alice, next=address)
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("name", ["alice", "nobody", "<script>"])
def test_a_wrong_password_and_an_unknown_name_look_the_same(nobody: Browser, alice: str, name: str) -> None:
    answer = nobody.post("/sign-in", name=name, password="wrong")
    assert answer.status_code == 401
    assert ONE_SIGN_IN in answer.text and "<script>" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert not answer.headers.getlist("Set-Cookie")


def test_guessing_is_told_to_wait(nobody: Browser, alice: str) -> None:
    for _ in range(5):
        assert nobody.post("/sign-in", name="alice", password="wrong").status_code == 401
    # The wait begins at one second and doubles, so on a slow machine it takes some guesses more to run into it.
    guesses = (nobody.post("/sign-in", name="alice", password="wrong") for _ in range(8))
    answer = next(answer for answer in guesses if answer.status_code != 401)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Too many failed sign-ins" in answer.text


def test_signing_in_ends_the_session_the_browser_had(nobody: Browser, services: Services, alice: str) -> None:
    first = cookie_of(nobody.post("/sign-in", name="alice", password=alice)).partition(";")[0].partition("=")[2]
    nobody.csrf = services.sessions.find(Secret(first)).csrf
    assert nobody.post("/sign-in", name="alice", password=alice).status_code == 303
    assert services.sessions.find(Secret(first)) is None


def test_a_form_from_another_site_does_not_sign_anybody_in(nobody: Browser, alice: str) -> None:
    answer = nobody.client.post(
        "/sign-in", data={"name": "alice", "password": alice}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


def test_the_given_password_leads_to_the_checklist_once_and_can_be_replaced(nobody: Browser, alice: str) -> None:
    assert nobody.post("/sign-in", name="alice", password=alice).headers["Location"] == "/first-run"
    assert nobody.get("/tenants").status_code == 200
    assert "Choose a password" in nobody.get("/").text
    page = nobody.get("/me")
    assert "Choose your own" in page.text
    nobody.csrf = csrf_of(page.text)
    wrong = nobody.post("/me/password", old_password=alice, new_password="short", again="short")
    assert wrong.status_code == 400 and "at least 12" in wrong.text
    wrong = nobody.post("/me/password", old_password=alice, new_password=PASSWORD, again="another")
    assert wrong.status_code == 400 and "not the same" in wrong.text
    done = nobody.post("/me/password", old_password=alice, new_password=PASSWORD, again=PASSWORD)
    assert done.status_code == 303
    assert nobody.get("/tenants").status_code == 200


def test_signing_out_ends_the_session(dana: Browser) -> None:
    answer = dana.post("/sign-out")
    assert answer.status_code == 303
    assert dana.get("/me").status_code == 303
    assert "You are signed out." in dana.get("/sign-in?out=1").text


def test_a_form_without_its_sessions_mark_is_refused(dana: Browser) -> None:
    answer = dana.client.post("/me/tokens", data={"name": "ci", "role": "viewer"})
    assert answer.status_code == 403


def test_a_token_is_shown_once_and_works_until_revoked(dana: Browser, services: Services) -> None:
    answer = dana.post("/me/tokens", name="nightly export", role="viewer", life="30 days", tenant="")
    assert answer.headers["Cache-Control"] == "no-store"
    secret = re.search(r"bvd_[a-z2-7]{10}_[a-z2-7]{40}", answer.text)[0]
    assert services.tokens.actor(Secret(secret)).role is Role.VIEWER
    page = dana.get("/me").text
    prefix = secret.split("_")[1]
    assert secret not in page and prefix in page
    dana.post(f"/me/tokens/{prefix}/revoke")
    assert services.tokens.actor(Secret(secret)) is None


def test_wrong_members_of_a_token_are_said_at_their_fields(dana: Browser) -> None:
    answer = dana.post("/me/tokens", name="", role="viewer", tenant="")
    assert answer.status_code == 400 and "what the token is for" in answer.text
    answer = dana.post("/me/tokens", name="ci", role="viewer", tenant="nobody")
    assert answer.status_code == 404 and 'value="nobody"' in answer.text


def test_nobody_may_hand_out_more_than_they_have(vera: Browser) -> None:
    assert "<option>admin</option>" not in vera.get("/me").text
    assert vera.post("/me/tokens", name="ci", role="admin", tenant="").status_code == 403


def test_sessions_are_listed_and_ended(dana: Browser, services: Services) -> None:
    operator = services.accounts.get(SYSTEM, "dana")
    other = services.sessions.open(operator, origin="203.0.113.9", agent="<b>Old browser</b>")
    page = dana.get("/me").text
    assert "203.0.113.9" in page and "<b>Old" not in page
    dana.post(f"/me/sessions/{services.sessions.find(other).id}/end")
    assert services.sessions.find(other) is None
    services.sessions.open(operator, origin="203.0.113.10")
    dana.post("/me/sessions/end-others")
    assert len(services.sessions.list(operator.actor(door="portal", origin=""))) == 1


def test_theme_and_shortcuts_stay_in_the_browser(dana: Browser) -> None:
    dana.post("/me/preferences", theme="dark")
    page = dana.get("/me").text
    assert 'data-theme="dark"' in page and 'value="on" checked' not in page
    dana.post("/me/preferences", theme="", shortcuts="on")
    page = dana.get("/me").text
    assert "data-theme" not in page.partition(">")[0] and 'value="on" checked' in page


def test_an_admin_makes_changes_and_closes_accounts(dana: Browser, services: Services, app: Flask) -> None:
    answer = dana.post("/settings/operators", name="bob", role="viewer", email="")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    password = re.search(r'<code id="password">([^<]+)</code>', answer.text)[1]
    assert services.accounts.sign_in("bob", Secret(password), "").name == "bob"
    assert password not in dana.get("/settings/operators").text
    dana.post("/settings/operators/bob/role", role="operator")
    assert services.accounts.get(SYSTEM, "bob").role is Role.OPERATOR
    dana.post("/settings/operators/bob/disable")
    assert services.accounts.get(SYSTEM, "bob").disabled_at
    dana.post("/settings/operators/bob/enable")
    again = dana.post("/settings/operators/bob/password")
    assert re.search(r'<code id="password">([^<]+)</code>', again.text)[1] != password
    taken = dana.post("/settings/operators", name="bob", role="viewer", email="")
    assert taken.status_code == 409 and "bob exists" in taken.text
    assert dana.post("/settings/operators/dana/disable").status_code == 409


def test_others_only_look_at_accounts(vera: Browser, services: Services) -> None:
    page = vera.get("/settings/operators")
    assert "Only an admin" in page.text and "/disable" not in page.text
    for path in ("", "/vera/role", "/vera/disable", "/vera/enable", "/vera/password"):
        answer = vera.post(f"/settings/operators{path}", name="eve", role="admin", email="")
        assert answer.status_code == 403
