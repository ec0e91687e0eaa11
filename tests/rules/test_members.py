"""Every route, every role of a member, another tenant's ids: nothing is seen, nothing changes. And who may do what.

Alice has everything that a tenant can have; Charlie's people are strangers to her, and Alice's own are let as far as
their roles go.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tests.rules.test_history import _clean, _dashboard
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from belvedere.api.routes import ROUTES
from belvedere.app import Services, build
from belvedere.intake.model import Happening, Via
from belvedere.kernel.actor import MEMBER_ROLES, SYSTEM, Role
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings
from belvedere.web.access import MEMBERS, OWN_AUTHENTICATION, PUBLIC, blueprint_of, is_for_members
from belvedere.web.app import create_app
from belvedere.web.context import SESSION_COOKIE

HIDDEN: Final = {HTTPStatus.NOT_FOUND}
NAMES: Final = {"kind", "key", "panel_id", "slug", "code", "form"}
"""Parts of addresses that are names, the same in every tenant, and no ids."""

FORM: Final = {
    "confirm": "alice", "name": "x", "key": "NEW_KEY", "value": "v", "reason": "a good reason", "template": "generic",
    "role": "viewer", "email": "eve@example.org", "back": "/", "password": "a fine november password",
}  # fmt: skip
BODIES: Final[dict[str, dict[str, object]]] = {
    "users.create": {"username": "new"}, "tenants.create": {"name": "new"}, "members.add": {"email": "e@example.org"},
    "credentials.put": {"keyName": "NEW_KEY", "keyValue": "x"}, "credentials.change": {"keyValue": "x"},
    "uploads.begin": {"campaign": "c", "name": "n", "size": 1}, "campaigns.make": {"user": "alice", "name": "x"},
    "campaigns.rename": {"name": "x"},
    "credentials.reveal": {"reason": "curiosity, only"}, "members.change": {"role": "viewer"},
    "sftp-users.add-key": {"key": "x"}, "sftp-users.change": {"active": False},
    "dashboards.create": {"username": "alice", "tableName": "notes", "dbName": "alice-QOR"},
    "dashboards.override": {"template": "generic", "reason": "because I can"}, "workspaces.resolve": {"choice": "ours"},
    "tenants.move": {"tier": "viewer"}, "templates.import": {"dashboard": {}}, "templates.choose": {"name": "x"},
    "tokens.create": {"name": "x", "role": "viewer", "tenant": "alice"},
    "flash.create": {"level": "info", "text": "x", "audience": "tenant:1"},
}  # fmt: skip

QUERIES: Final = {
    "uploads.begin": "?user=alice", "uploads.append": "?offset=0&checksum=crc32:00000000",
}


@dataclass
class Somebody:
    """A member's browser; `api` is the same session at the other door."""

    client: FlaskClient
    csrf: str
    role: Role
    person: UUID
    session: UUID

    def open(self, method: str, path: str, **form: str) -> TestResponse:
        data = {"csrf": self.csrf, **FORM, **form} if method != "GET" else None
        return self.client.open(path, method=method, data=data)

    def api(self, method: str, path: str, body: dict[str, object] | None) -> TestResponse:
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers={"X-CSRF-Token": self.csrf})


@dataclass
class World:
    """Two tenants and their people."""

    services: Services
    app: Flask
    dashboard: UUID
    of_alice: dict[Role, Somebody] = field(default_factory=dict)
    of_charlie: dict[Role, Somebody] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)

    def join(self, serial: int, role: Role) -> Somebody:
        """Make a member by hand, and sign them in."""
        services = self.services
        made = services.members.add(SYSTEM, serial, f"{role}-{uuid4().hex[:6]}@t{serial}.example", role=role)
        assert made.password is not None
        account = services.accounts.sign_in(made.member.email, made.password, "127.0.0.1")
        cookie = services.sessions.open(account, origin="127.0.0.1")
        session = services.sessions.find(cookie)
        assert session is not None
        client = self.app.test_client()
        client.set_cookie(SESSION_COOKIE, cookie.reveal())
        return Somebody(client, session.csrf, role, made.member.id, session.id)


@pytest.fixture
def world(database: Database, cluster: Any, tmp_path: Path) -> Iterator[World]:
    services = build(Settings(home=str(tmp_path / "home"), database_url=database.url, pool_size=8))
    dashboard = _dashboard(services)
    alice = services.tenants.get(SYSTEM, "alice").serial
    charlie = services.tenants.create(SYSTEM, "charlie")[0].serial
    made = World(services, create_app(services), dashboard)
    for role in sorted(MEMBER_ROLES, key=lambda one: one is not Role.OWNER):
        made.of_alice[role] = made.join(alice, role)
        made.of_charlie[role] = made.join(charlie, role)
    services.previews.request(SYSTEM, dashboard)
    services.previews.send(SYSTEM, dashboard)
    sftp = services.sftp.add(SYSTEM, alice).user
    begun = services.sftp_sessions.begin(sftp, origin="", client="", method="password", server="rules")
    begun.record.close()
    made.ids = {
        "slug": "alice", "tenant": "alice", "id": str(alice), "dashboard_id": str(dashboard), "panel_id": "p",
        "dashboard": str(dashboard), "kind": "QOR", "key": "DB_PASS", "form": "gif", "code": "forbidden",
        "template": "generic",
        "preview_id": str(services.previews.list(SYSTEM, dashboard)[0].id), "name": "generic",
        "delivery_id": str(services.notifications.list(SYSTEM).items[0].id),
        "store": str(services.stores.list(SYSTEM, alice)[0].id), "job_id": 1, "job": "1",
        "member_id": str(made.of_alice[Role.OWNER].person), "session_id": str(made.of_alice[Role.OWNER].session),
        "invitation_id": str(services.invitations.create(SYSTEM, alice, role=Role.VIEWER)[0].id),
        "prefix": services.tokens.create(SYSTEM, name="a", role=Role.VIEWER, tenant=alice)[0].prefix,
        "sftp_user_id": str(sftp.id), "sftp_session_id": str(begun.id), "fingerprint": "SHA256:x",
        "action_id": str(services.history.search(SYSTEM, tenant=alice, limit=1).items[0].id),
        "campaign_id": str(_campaign(services, alice)), "upload_id": str(_upload(services, alice)),
        "flash_id": str(services.flash.create(SYSTEM, "info", "for us alone", audience=f"tenant:{alice}").id),
    }  # fmt: skip
    for page, path in (("preview_id", "preview"), ("delivery_id", "delivery"), ("member_id", "member"),
                       ("invitation_id", "invitation"), ("sftp_user_id", "sftp_user"),
                       ("sftp_session_id", "sftp_session"), ("prefix", "token"), ("flash_id", "flash"),
                       ("campaign_id", "campaign"), ("upload_id", "upload")):
        made.ids[path] = made.ids[page]
    yield made
    services.close()
    _clean(cluster)


def _campaign(services: Services, serial: int) -> UUID:
    """Make a folder of alice's and return the campaign that it becomes."""
    (services.intake.root.path / "alice" / "camp_base").mkdir(parents=True)
    services.intake.look(str(serial))
    return services.campaigns.list(SYSTEM, tenant=serial).items[0].id


def _upload(services: Services, serial: int) -> UUID:
    """Put a file there that nobody reads, and return its upload."""
    (services.intake.root.path / "alice" / "camp_base" / "x.bin").write_bytes(b"x")
    services.intake.notice("alice", "camp_base/x.bin", Happening.CLOSED, via=Via.SFTP)
    services.intake.take(str(serial))
    return services.uploads.list(SYSTEM, tenant=serial).items[0].id


def _pages(world: World) -> Iterator[tuple[Rule, str]]:
    for rule in world.app.url_map.iter_rules():
        if blueprint_of(rule.endpoint) not in OWN_AUTHENTICATION:
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                yield rule, method


def _path(world: World, rule: Rule, **others: object) -> str:
    values = {**world.ids, "token": "a" * 40, **others}
    with world.app.test_request_context():
        built = rule.build({name: values[name] for name in rule.arguments})
    assert built is not None
    return built[1]


def _kept(world: World) -> object:
    """Return what a stranger could have changed."""
    services = world.services
    alice = services.tenants.get(SYSTEM, "alice")
    return (
        alice.state, alice.deleting, services.members.of_tenant(alice.serial) and [
            (one.id, one.role, one.active) for one in services.members.of_tenant(alice.serial)],
        [(one.key_name, one.version) for one in services.credentials.list(SYSTEM, alice.serial)],
        [one.id for one in services.invitations.list(SYSTEM, alice.serial)], services.sftp.list(SYSTEM, alice.serial),
        [(one.id, one.end_asked_by) for one in services.sftp_sessions.list(SYSTEM, tenant=alice.serial).items],
        [(one.prefix, one.revoked_at) for one in services.tokens.list(SYSTEM, tenant=alice.serial)],
        services.notifications.counts(SYSTEM, tenant=alice.serial), services.dashboards.why(SYSTEM, world.dashboard),
        [(one.id, one.state, one.name) for one in services.campaigns.list(SYSTEM, tenant=alice.serial, state="").items],
        [(one.id, one.state) for one in services.uploads.list(SYSTEM, tenant=alice.serial).items],
        [one.name for one in services.tenants.list(SYSTEM).items], [one.name for one in services.accounts.list(SYSTEM)],
    )  # fmt: skip


def _marks(world: World, endpoint: str) -> list[str]:
    if blueprint_of(endpoint) == "history":
        return ["alice"]  # The ids that the stranger tried stand in the stranger's own history, as refused.
    return ["alice", *(str(value) for name, value in world.ids.items() if len(str(value)) > 8 and name != "code")]


@pytest.mark.parametrize("role", MEMBER_ROLES)
def test_no_page_shows_a_member_another_tenants_things_or_the_installations(world: World, role: Role) -> None:
    stranger, before, wrong = world.of_charlie[role], _kept(world), []
    for rule, method in _pages(world):
        answer = stranger.open(method, _path(world, rule))
        ids = rule.arguments - {"token"} - ({"name"} if rule.endpoint == "assets.file" else set())
        if rule.endpoint in {"accounts.sign_out", "accounts.sign_in", "accounts.sign_in_post"}:
            stranger = world.join(world.services.tenants.get(SYSTEM, "charlie").serial, role)
        elif "slug" in ids or ids - NAMES or not is_for_members(rule.endpoint, rule.rule):
            if answer.status_code not in HIDDEN:
                wrong.append((rule.endpoint, method, answer.status_code))
        elif any(mark in answer.text for mark in _marks(world, rule.endpoint)) or answer.status_code >= 500:
            wrong.append((rule.endpoint, method, "shows it"))
    assert wrong == []
    assert _kept(world) == before


@pytest.mark.parametrize("role", MEMBER_ROLES)
def test_an_id_of_another_tenant_is_nothing_under_ones_own_address(world: World, role: Role) -> None:
    stranger, wrong, tried, before = world.of_charlie[role], [], 0, _kept(world)
    for rule, method in _pages(world):
        if "slug" in rule.arguments and rule.arguments - NAMES:
            tried += 1
            answer = stranger.open(method, _path(world, rule, slug="charlie"))
            if answer.status_code not in HIDDEN | {HTTPStatus.FORBIDDEN} or "alice" in answer.text:
                wrong.append((rule.endpoint, answer.status_code))
            if method == "GET" and answer.status_code != HTTPStatus.NOT_FOUND:
                wrong.append((rule.endpoint, answer.status_code))
    assert tried > 10
    assert wrong == []
    assert _kept(world) == before


LISTS: Final = {
    "users.list", "tenants.list", "dashboards.list", "deliveries.list", "me.get", "tokens.list", "flash.list",
    "history.list", "campaigns.list", "uploads.list",
}  # fmt: skip
"""Lists that show somebody confined to a tenant what is its own."""


@pytest.mark.parametrize("role", MEMBER_ROLES)
def test_no_route_of_the_api_knows_another_tenants_ids(world: World, role: Role) -> None:
    charlie = world.services.tenants.get(SYSTEM, "charlie").serial
    stranger, before, wrong = world.of_charlie[role], _kept(world), []
    callers: list[Callable[[str, str, dict[str, object] | None], TestResponse]] = [stranger.api]
    if role is not Role.OWNER:  # no token is an owner
        _, secret = world.services.tokens.create(SYSTEM, name="t", role=role, tenant=charlie)
        client = world.app.test_client()
        callers.append(lambda method, path, body: client.open(
            f"/api/v1{path}", method=method, json=body, headers={"Authorization": f"Bearer {secret.reveal()}"}))
    for route in ROUTES:
        if route.open:
            continue
        path = re.sub(r"{(\w+)}", lambda found: str(world.ids[found[1]]), route.path)
        path += QUERIES.get(route.name, "")
        for call in callers:
            answer = call(route.method, path, BODIES.get(route.name, {}) if route.mutates else None)
            if route.name in LISTS:
                if "alice" in answer.text:
                    wrong.append((route.name, "shows it"))
            elif answer.status_code not in HIDDEN:
                wrong.append((route.name, answer.status_code))
    assert wrong == []
    assert _kept(world) == before


def _new_member(world: World) -> dict[str, object]:
    return {"member_id": world.join(world.services.tenants.get(SYSTEM, "alice").serial, Role.VIEWER).person}


def _new_sftp_user(world: World) -> dict[str, object]:
    alice = world.services.tenants.get(SYSTEM, "alice").serial
    return {"sftp_user_id": world.services.sftp.add(SYSTEM, alice, name=f"alice-{uuid4().hex[:6]}").user.id}


def _new_invitation(world: World) -> dict[str, object]:
    alice = world.services.tenants.get(SYSTEM, "alice").serial
    return {"invitation_id": world.services.invitations.create(SYSTEM, alice, role=Role.VIEWER)[0].id}


def _new_sending(world: World) -> dict[str, object]:
    begun = world.services.resumable.begin(
        SYSTEM, tenant="alice", campaign="c", device="", name=f"{uuid4().hex[:6]}.tsv", size=1
    )
    return {"upload_id": begun.id}


NEEDED: Final[dict[str, Role]] = {
    "dashboards.override": Role.EDITOR, "dashboards.capture_now": Role.EDITOR, "dashboards.send": Role.EDITOR,
    "tenant_data.send_again": Role.EDITOR, "credentials.test": Role.EDITOR,
    "credentials.add": Role.ADMIN, "credentials.change": Role.ADMIN, "credentials.delete": Role.ADMIN,
    "credentials.reveal": Role.ADMIN, "keys.rotate": Role.ADMIN, "keys.create": Role.ADMIN, "keys.revoke": Role.ADMIN,
    "tenant.retry": Role.ADMIN, "members.invite": Role.ADMIN, "members.set_role": Role.ADMIN,
    "members.suspend": Role.ADMIN, "members.resume": Role.ADMIN, "members.remove": Role.ADMIN,
    "members.withdraw": Role.ADMIN, "sftp.add": Role.ADMIN, "sftp.password": Role.ADMIN, "sftp.disable": Role.ADMIN,
    "sftp.enable": Role.ADMIN, "sftp.remove": Role.ADMIN, "sftp.add_key": Role.ADMIN, "sftp.remove_key": Role.ADMIN,
    "sftp.end": Role.ADMIN, "tenant.delete": Role.OWNER,
    "members.password": Role.OWNER,  # The owner's own: nobody takes another member's.
    "campaigns.send": Role.EDITOR, "uploads.again": Role.EDITOR, "uploads.cancel": Role.EDITOR,
    "campaigns.rename": Role.ADMIN, "campaigns.delete": Role.ADMIN,
    "workspaces.apply": Role.ADMIN, "workspaces.password": Role.ADMIN, "workspaces.resolve": Role.ADMIN,
}  # fmt: skip
"""What a member needs for each deed in the own tenant; `docs/how-to/members.md` says the same."""

OWN_DEEDS: Final = {
    "accounts.change_password", "accounts.preferences", "accounts.end_session", "accounts.end_others", "home.dismiss",
    "accounts.sign_out", "accounts.sign_in_post", "home.theme", "invitations.accept", "invitations.join",
}  # fmt: skip
"""What anybody does with what is their own."""


def test_each_deed_in_the_own_tenant_needs_the_role_that_is_written_down(world: World) -> None:
    fresh = {"members.set_role": _new_member, "members.suspend": _new_member, "members.resume": _new_member,
             "members.remove": _new_member, "sftp.remove": _new_sftp_user, "members.withdraw": _new_invitation,
             "uploads.cancel": _new_sending,
             "credentials.delete": lambda _world: {"key": "DB_PORT"}}  # fmt: skip
    deeds = {rule.endpoint: rule for rule, method in _pages(world) if method == "POST"
             and is_for_members(rule.endpoint, rule.rule)}
    asked = {name: rule for name, rule in deeds.items() if name not in OWN_DEEDS}
    unknown = set(asked) - set(NEEDED)
    assert unknown == set(), "say what a member needs for it"
    wrong = []
    for endpoint, rule in asked.items():
        for role, somebody in world.of_alice.items():
            path = _path(world, rule, **(fresh[endpoint](world) if endpoint in fresh else {}))
            # Deleting with the wrong word is refused after the role was looked at, and leaves the tenant there.
            status = somebody.open("POST", path, confirm="not its name").status_code
            # Who may finds the thing gone where another one who may was faster.
            if (status == HTTPStatus.FORBIDDEN) is role.covers(NEEDED[endpoint]):
                wrong.append((endpoint, role, status))
    assert wrong == []


def test_members_see_their_tenants_pages_whatever_their_role(world: World) -> None:
    wrong = []
    for rule, method in _pages(world):
        if method != "GET" or rule.endpoint in PUBLIC or not is_for_members(rule.endpoint, rule.rule):
            continue
        if rule.endpoint in {"dashboards.picture", "home.events", "dashboards.panel"}:
            continue  # No picture was taken here, no such panel is there, and the stream is `live.py`'s.
        for role, somebody in world.of_alice.items():
            answer = somebody.open("GET", _path(world, rule))
            if answer.status_code != HTTPStatus.OK:
                wrong.append((rule.endpoint, role, answer.status_code))
    assert wrong == []


def test_what_members_see_besides_their_tenant_is_there(world: World) -> None:
    endpoints = {rule.endpoint for rule in world.app.url_map.iter_rules()}
    assert set(MEMBERS) <= endpoints
