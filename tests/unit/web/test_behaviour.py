"""What pages do: renew their parts, show a secret once with a reason, make and delete, say what went wrong."""

import json

from flask import Flask
from tests.unit.web.conftest import ADMIN, Browser

from belvedere.app import Services
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import Later
from belvedere.kernel.secret import Secret
from belvedere.web.context import CAPTURE_COOKIE


def _alice(services: Services) -> int:
    tenant, _ = services.tenants.create(ADMIN, "alice")
    services.credentials.put(ADMIN, tenant.serial, "SLACK_BOT_TOKEN", Secret("xoxb-1-abcdef"))
    return tenant.serial


def test_a_part_of_a_page_renews_itself_and_an_equal_one_moves_nothing(dana: Browser, services: Services) -> None:
    first = dana.part("/tenants", "tenant-rows")
    assert first.text.lstrip().startswith('<div id="tenant-rows"')
    assert "<html" not in first.text
    again = dana.part("/tenants", "tenant-rows", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.text) == (304, "")
    _alice(services)
    moved = dana.part("/tenants", "tenant-rows", If_None_Match=first.headers["ETag"])
    assert moved.status_code == 200
    assert "/tenants/alice" in moved.text


def test_every_live_part_has_a_block_of_its_name(dana: Browser, services: Services) -> None:
    _alice(services)
    for path in ("/", "/tenants", "/jobs", "/deliveries", "/dashboards", "/health", "/first-run", "/tenants/alice"):
        page = dana.get(path, Accept="text/html").text
        for piece in page.split("<")[1:]:
            if "data-topics=" in piece and "hx-get" in piece:
                name = piece.split('id="')[1].split('"')[0]
                answer = dana.part(path, name, Accept="text/html")
                assert "<html" not in answer.text, (path, name)
                assert f'id="{name}"' in answer.text, (path, name)


def test_a_new_tenant_shows_its_plan_before_and_its_key_once(dana: Browser, services: Services) -> None:
    plan = dana.get("/tenants/new?name=chip-lab").text
    assert "chip-lab-timing_report" in plan
    made = dana.post("/tenants/new", name="chip-lab")
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    [key] = [
        word for word in made.text.replace("<", " ").replace(">", " ").split() if len(word) == 40 and word.isalnum()
    ]
    actor = services.tenants.actor_for_key(Secret(key), "")
    assert actor is not None
    assert actor.tenant == services.tenants.get(ADMIN, "chip-lab").serial
    assert key not in dana.get("/tenants/chip-lab/keys").text


def test_a_name_that_cannot_be_is_refused_with_its_reason_and_stays_in_the_field(
    dana: Browser, services: Services
) -> None:
    _alice(services)
    for name, reason in (("", "Enter a name."), ("a/b", "slash"), ("ALICE", "differs by case"), ("x" * 60, "60 bytes")):
        answer = dana.post("/tenants/new", name=name)
        assert answer.status_code in {400, 409}, name
        assert reason in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert f'value="{name}"' in answer.text


def test_a_secret_needs_a_reason_and_is_never_kept_by_a_cache(dana: Browser, services: Services) -> None:
    serial = _alice(services)
    assert "xoxb-1-abcdef" not in dana.get("/tenants/alice/credentials").text
    refused = dana.post("/tenants/alice/credentials/SLACK_BOT_TOKEN/reveal", reason="why")
    assert refused.status_code == 400
    assert "xoxb-1-abcdef" not in refused.text
    shown = dana.post("/tenants/alice/credentials/slack_bot_token/reveal", reason="the bot is silent, ticket 12")
    assert "xoxb-1-abcdef" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    [action] = services.history.search(ADMIN, verb="credential.reveal", tenant=serial, result="succeeded").items
    assert (action.actor, action.arguments["reason"]) == ("dana", "the bot is silent, ticket 12")


def test_a_credential_changed_meanwhile_is_not_overwritten(dana: Browser, services: Services) -> None:
    _alice(services)
    path = "/tenants/alice/credentials/SLACK_BOT_TOKEN/change"
    assert dana.post(path, version="1", value="xoxb-2-abcdef").status_code == 303
    late = dana.post(path, version="1", value="xoxb-3-abcdef")
    assert late.status_code == 409
    assert "xoxb-3" not in late.text


def test_deleting_asks_for_the_name(dana: Browser, services: Services) -> None:
    _alice(services)
    refused = dana.post("/tenants/alice/delete", confirm="alicia")
    assert refused.status_code == 400
    assert "Type the tenant" in refused.text
    assert not services.tenants.get(ADMIN, "alice").deleting
    assert dana.post("/tenants/alice/delete", confirm="alice").status_code == 303
    assert services.tenants.get(ADMIN, "alice").deleting


def test_what_was_done_is_said_once_on_the_next_page(dana: Browser, services: Services) -> None:
    _alice(services)
    answer = dana.post("/tenants/alice/retry", follow=True)
    assert "Started. The steps renew themselves here." in answer.text
    assert "Started." not in dana.get("/tenants/alice").text


def test_a_message_raised_by_anybody_stands_on_every_page_until_dismissed(dana: Browser, services: Services) -> None:
    flash = services.flash.create(SYSTEM, "warn", "Maintenance at <b>22:00</b>", "/help")
    page = dana.get("/tenants").text
    assert "Maintenance at &lt;b&gt;22:00&lt;/b&gt;" in page
    dana.post(f"/flashes/{flash.id}/dismiss", back="/tenants")
    assert "Maintenance" not in dana.get("/tenants").text


def test_going_back_never_leads_elsewhere(dana: Browser) -> None:
    split = "/a\r\nSet-Cookie: b=c"
    for address in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", split):
        assert dana.post("/theme", back=address).headers["Location"] == "/"


def test_an_error_is_a_page_for_people_and_problem_details_for_machines(dana: Browser) -> None:
    page = dana.get("/tenants/nobody", Accept="text/html")
    assert page.status_code == 404
    assert "Next step" in page.text
    assert page.headers["X-Request-Id"] in page.text
    machine = dana.get("/tenants/nobody", Accept="application/json")
    assert machine.content_type == "application/problem+json"
    assert json.loads(machine.text)["type"] == "/problems/not-found"


def test_a_mistake_of_ours_tells_no_inside(app: Flask, dana: Browser) -> None:
    def broken() -> str:
        message = "password=hunter2"
        raise RuntimeError(message)

    app.view_functions["help.help_page"] = broken
    answer = dana.get("/help", Accept="text/html")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "Belvedere made a mistake" in answer.text


def test_a_database_that_is_away_is_said_in_one_page(app: Flask, dana: Browser) -> None:
    def away() -> str:
        message = "The control database does not answer."
        raise Later(message, retry_in_s=2.0, code="database-away")

    app.view_functions["help.help_page"] = away
    answer = dana.get("/help", Accept="text/html")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "The control database does not answer." in answer.text


def test_a_body_that_is_too_large_is_not_read(dana: Browser) -> None:
    answer = dana.client.post("/tenants/new", data={"csrf": dana.csrf, "name": "x" * 1_200_000})
    assert answer.status_code == 413


def test_health_tells_strangers_states_and_nothing_else(nobody: Browser, dana: Browser) -> None:
    answer = nobody.get("/health")
    assert answer.status_code == 200
    assert all(set(part) == {"name", "state"} for part in answer.json["parts"])
    assert "text/html" in dana.get("/health", Accept="text/html").content_type


def test_a_capture_session_sees_its_dashboard_and_nothing_else(app: Flask, services: Services, nobody: Browser) -> None:
    serial = _alice(services)
    with services.database.transaction() as connection:
        connection.execute("SELECT 1")
    from uuid import uuid4

    token = services.previews.tokens.issue(serial, uuid4())
    cookie, _ = services.previews.tokens.redeem(token.reveal())
    nobody.client.set_cookie(CAPTURE_COOKIE, cookie.reveal())
    for path in (
        "/",
        "/tenants",
        "/tenants/alice",
        "/tenants/alice/credentials",
        f"/tenants/alice/dashboards/{uuid4()}",
    ):
        assert nobody.get(path, Accept="text/html").status_code == 404, path
    assert nobody.client.post("/tenants/new", data={"name": "x"}).status_code in {403, 404}


def test_hashed_assets_may_be_kept_for_ever(nobody: Browser) -> None:
    address = nobody.get("/sign-in").text.split('rel="stylesheet" href="')[1].split('"')[0]
    if not address:
        return  # The checkout was never built; the page says so.
    answer = nobody.get(address, Accept_Encoding="gzip")
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Encoding"] == "gzip"
    assert nobody.get("/assets/manifest.json").status_code == 404


def test_a_server_without_a_stream_says_so_and_pages_poll(dana: Browser) -> None:
    assert dana.get("/events?topics=jobs").status_code == 204
