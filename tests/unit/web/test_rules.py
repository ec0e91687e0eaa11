"""What holds for every route and every template."""

import re
from pathlib import Path

import pytest
from flask import Flask
from tests.unit.web.conftest import ADMIN, Browser

from belvedere.app import Services
from belvedere.web.access import OWN_AUTHENTICATION, POLICY, PUBLIC, blueprint_of

TEMPLATES = sorted(Path("src/belvedere/web/templates").rglob("*.html"))
VALUES = {
    "slug": "alice",
    "dashboard_id": "0192c8c3-0000-7000-8000-000000000000",
    "panel_id": "p",
    "kind": "QOR",
    "key": "DB_PASS",
    "token": "t",
    "name": "drc",
    "code": "forbidden",
    "preview_id": "0192c8c3-0000-7000-8000-000000000000",
    "job_id": 1,
    "delivery_id": "0192c8c3-0000-7000-8000-000000000000",
    "flash_id": "0192c8c3-0000-7000-8000-000000000000",
    "action_id": "0192c8c3-0000-7000-8000-000000000000",
    "session_id": "0192c8c3-0000-7000-8000-000000000000",
    "prefix": "p",
    "member_id": "0192c8c3-0000-7000-8000-000000000000",
    "invitation_id": "0192c8c3-0000-7000-8000-000000000000",
    "campaign_id": "0192c8c3-0000-7000-8000-000000000000",
    "upload_id": "0192c8c3-0000-7000-8000-000000000000",
    "sftp_user_id": "0192c8c3-0000-7000-8000-000000000000",
    "sftp_session_id": "0192c8c3-0000-7000-8000-000000000000",
}


def _routes(app: Flask) -> list[tuple[str, str, str]]:
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if blueprint_of(rule.endpoint) in OWN_AUTHENTICATION:
                continue
            _, path = rule.build({name: VALUES[name] for name in rule.arguments}) or ("", "")
            found += [(rule.endpoint, method, path) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


def test_every_route_asks_who_it_is_or_is_listed_with_its_reason(app: Flask, nobody: Browser) -> None:
    for endpoint, method, path in _routes(app):
        answer = nobody.client.open(path, method=method)
        if endpoint in PUBLIC:
            assert PUBLIC[endpoint], endpoint
        elif method == "GET":
            assert answer.status_code == 303, (endpoint, answer.status_code)
            assert answer.headers["Location"].startswith("/sign-in"), endpoint
        else:
            assert answer.status_code == 401, (endpoint, answer.status_code)


def test_every_exception_is_a_route(app: Flask) -> None:
    assert set(PUBLIC) <= {endpoint for endpoint, _, _ in _routes(app)}


def test_every_form_needs_what_forms_of_the_session_carry(app: Flask, dana: Browser) -> None:
    for endpoint, method, path in _routes(app):
        if method != "POST" or endpoint == "accounts.sign_in_post":
            continue
        assert dana.client.post(path, data={"csrf": "guessed"}).status_code == 403, endpoint
        elsewhere = dana.client.post(path, data={"csrf": dana.csrf}, headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 403, endpoint
        foreign = dana.client.post(path, data={"csrf": dana.csrf}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403, endpoint


def test_a_viewer_changes_nothing(app: Flask, vera: Browser, services: Services) -> None:
    services.tenants.create(ADMIN, "alice")
    own = {"accounts", "home"}
    for endpoint, method, path in _routes(app):
        if method == "POST" and blueprint_of(endpoint) not in own:
            answer = vera.post(
                path, confirm="alice", name="bob", key="A", value="b", reason="a good reason", template="drc",
                role="viewer", email="eve@example.org",
            )
            assert answer.status_code in {403, 404}, (endpoint, answer.status_code)
    assert [one.name for one in services.tenants.list(ADMIN).items] == ["alice"]


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_a_template_holds_no_style_and_no_script_of_its_own(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle\s*=", text)
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text)
    assert "javascript:" not in text


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_a_form_that_changes_something_carries_its_token(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL):
        assert "ui.token()" in form or "csrf" in form, form[:200]


def test_no_answer_lets_a_browser_run_what_is_not_ours(dana: Browser) -> None:
    for path in ("/", "/nothing", "/health", "/sign-in"):
        headers = dana.get(path).headers
        assert headers["Content-Security-Policy"] == POLICY
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Request-Id"]
