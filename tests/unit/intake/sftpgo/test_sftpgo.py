"""An SFTPGo in trouble, and what doors say of its users."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belvedere.app import Services, build
from belvedere.intake.sftpgo import shape
from belvedere.intake.sftpgo.api import SftpGo, SftpGoAway
from belvedere.intake.sftpgo.model import Mark, Seen, Wanted
from belvedere.intake.sftpgo.plan import plan
from belvedere.intake.sftpgo.service import SftpGoUsers
from belvedere.intake.sftpgo.testing import TwinSftpGo
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import BelvedereError, Forbidden, Later, NotFound, Rejected, Stuck
from belvedere.kernel.plan import render
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.web.app import create_app
from belvedere.web.context import SESSION_COOKIE

DANA = Actor(name="dana", role=Role.ADMIN, door="portal")


def server_of(twin: httpx2.BaseTransport, pauses: list[float] | None = None) -> SftpGo:
    waited = pauses if pauses is not None else []
    return SftpGo("http://sftpgo.test", "admin", Secret("admin"), transport=twin, pause=waited.append)


@pytest.mark.parametrize("trouble", [[503], [-1, 500], [429, 429]])
def test_trouble_that_passes_is_waited_out(trouble: list[int]) -> None:
    twin, pauses = TwinSftpGo(), []
    server = server_of(twin, pauses)
    server.version()
    twin.trouble = list(trouble)
    assert server.version() == "2.7.5"
    assert len(pauses) == len(trouble)


@pytest.mark.parametrize(("trouble", "kind", "code"), [
    ([503] * 9, SftpGoAway, "sftpgo-away"), ([-1] * 9, Later, "sftpgo-away"), ([403], Stuck, "sftpgo-login"),
    ([418], Stuck, "sftpgo-refused"), ([400], Rejected, "sftpgo-refused"), ([302], Stuck, "sftpgo-refused"),
])
def test_trouble_that_stays_is_told_by_its_kind(trouble: list[int], kind: type[BelvedereError], code: str) -> None:
    twin = TwinSftpGo()
    server = server_of(twin)
    server.version()
    twin.trouble = list(trouble)
    with pytest.raises(kind) as caught:
        server.version()
    assert caught.value.problem == code and len(twin.calls) <= 6


def test_a_user_is_not_made_twice_for_an_answer_that_was_lost() -> None:
    twin = TwinSftpGo()
    server = server_of(twin)
    server.version()
    twin.trouble = [503]
    with pytest.raises(SftpGoAway):
        server.make({"username": "a"})
    assert twin.calls.count("POST /users") == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"a":', b"\xff", b'[{"status":1}]', b'[{"username":7}]'])
def test_what_is_no_sftpgo_is_said_so(body: bytes) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/token"):
            return httpx2.Response(200, json={"access_token": "t", "expires_at": "soon"})
        return httpx2.Response(200, content=body)

    with pytest.raises(Stuck):
        list(server_of(httpx2.MockTransport(answer)).users()) or server_of(httpx2.MockTransport(answer)).version()


NAMES = st.sampled_from(["a", "b", "c", "d"])
WANTED = st.builds(
    Wanted, name=NAMES, tenant=st.integers(1, 2), user=st.just("u"), home=st.sampled_from(["/x", "/y"]),
    permissions=st.just(("list",)), password=st.sampled_from([None, Secret("$2b$x"), Secret("$2b$y")]),
    quota_files=st.integers(0, 1), enabled=st.booleans(),
)
OTHERS = st.dictionaries(NAMES, st.sampled_from(["", "belvedere x", "ours"]))


@given(wanted=st.lists(WANTED, unique_by=lambda one: one.name), others=OTHERS, tenant=st.sampled_from([None, 1, 2]))
def test_planning_after_applying_gives_nothing_and_touches_nobody_elses(
    wanted: list[Wanted], others: dict[str, str], tenant: int | None
) -> None:
    twin = TwinSftpGo()
    server = server_of(twin)
    for name, info in others.items():
        mark = shape.body_of(_plain(name), "here", None)["additional_info"] if info == "ours" else info
        server.make({"username": name, "home_dir": "/z", "permissions": {"/": ["list"]}, "additional_info": mark})
    foreign = {name: dict(twin.users[name]) for name, info in others.items() if info != "ours"}
    for step in plan(wanted, server.users(), "here", tenant=tenant).steps:
        seen = server.user(step.deed.name)
        if step.deed.wanted is None:
            server.remove(step.deed.name)
        elif seen is None:
            server.make(shape.body_of(step.deed.wanted, "here", None))
        else:
            server.change(step.deed.name, shape.body_of(step.deed.wanted, "here", seen), disconnect=False)
    assert not plan(wanted, server.users(), "here", tenant=tenant)
    assert all(twin.users[name] == before for name, before in foreign.items())


def _plain(name: str) -> Wanted:
    return Wanted(name, 1, "u", "/z", ("list",))


def test_no_plan_shows_anything_of_a_password() -> None:
    seen = Seen(
        name="a", enabled=True, home="/z", local=True, permissions={"/": ("list",)}, keys=(), has_password=True,
        password_changed=5, quota_bytes=0, quota_files=0, mark=Mark("here", 1, "u", "x", 5), whole={},
    )
    wanted = replace(_plain("a"), password=Secret("$2b$12$abcdefghijklmnop"))
    text = render(plan([wanted], [seen], "here")) + repr(plan([wanted], [seen], "here"))
    assert "password: another -> ours" in text and "abcdef" not in text


@pytest.fixture
def services(database: Database, tmp_path: Path) -> Iterator[Services]:
    settings = Settings(home=str(tmp_path), database_url=database.url, pool_size=6)
    made = build(settings)
    twin = TwinSftpGo()
    users = SftpGoUsers(
        database=database, history=made.history, queue=made.queue, users=made.sftp, server=server_of(twin), root="/srv"
    )
    made = replace(made, sftpgo=users)
    yield made
    made.close()


def test_users_follow_a_tenants_and_the_drift_page_says_so(services: Services) -> None:
    acme = services.tenants.create(SYSTEM, "acme")[0].serial
    services.sftp.add(SYSTEM, acme, name="acme-night", password=Secret("violet kettle 93"))
    services.sftpgo.provision(str(acme))
    twin: Any = services.sftpgo._server._transport  # type: ignore[union-attr]
    assert {"acme-night"} <= set(twin.users)
    assert twin.users["acme-night"]["home_dir"] == "/srv/acme"
    twin.users["acme-night"]["status"] = 0
    twin.users["theirs"] = {"username": "theirs", "status": 1, "home_dir": "/z", "permissions": {"/": ["list"]}}
    services.sftp.add(SYSTEM, acme, name="theirs", password=Secret("violet kettle 93"))
    services.sftpgo.provision("")
    page = _page(services)
    assert "not ours" in page and "<code>theirs</code>" in page and "change user" in page
    twin.trouble = [403]
    with pytest.raises(Stuck):
        services.sftpgo.provision("")
    assert "does not let us in" in _page(services)
    done = services.history.search(SYSTEM, verb="sftpgo").items
    assert {(one.verb, one.target, one.tenant) for one in done} >= {
        ("sftpgo.make-user", "acme-night", acme), ("sftpgo.change-user", "acme-night", acme),
    }  # fmt: skip
    services.tenants.delete(SYSTEM, acme, confirm="acme")
    services.sftpgo.provision(str(acme))
    assert set(twin.users) == {"theirs"}


def test_who_may(services: Services) -> None:
    viewer, stranger = replace(DANA, role=Role.VIEWER), replace(DANA, role=Role.ADMIN, tenant=99)
    services.sftpgo.plan(viewer)
    for refused in (lambda: services.sftpgo.apply(viewer), lambda: services.sftpgo.ask(viewer)):
        with pytest.raises(Forbidden):
            refused()
    with pytest.raises(NotFound):
        services.sftpgo.plan(stranger)
    with pytest.raises(Forbidden):
        services.hooks().reveal(viewer, "because I say so")
    with pytest.raises(Rejected):
        services.hooks().reveal(DANA, "no")
    assert services.hooks().reveal(DANA, "set up SFTPGo").reveal()


def _page(services: Services) -> str:
    if not any(one.name == "dana" for one in services.accounts.list(SYSTEM)):
        services.accounts.create(SYSTEM, "dana", Role.ADMIN)
    client = create_app(services).test_client()
    cookie = services.sessions.open(services.accounts.get(SYSTEM, "dana"), origin="127.0.0.1")
    client.set_cookie(SESSION_COOKIE, cookie.reveal())
    answer = client.get("/drift")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)
