"""Whose rows somebody gets: those of the tenant that Grafana's signed token leads to, whatever else is said."""

import base64
import json
import time
from uuid import uuid4

import pytest
from tests.unit.gateway.conftest import ALICE, BOB, CHARLIE, SECRET, rig_of

from belvedere.gateway.testing import Mint
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import Forbidden, NotFound, Rejected

NOTES = "SELECT note FROM runs WHERE note LIKE 'SECRET%'"


def test_each_person_gets_the_rows_of_the_own_tenant(rig):
    assert rig.values(ALICE, NOTES) == [["SECRET OF alice"]]
    assert rig.values(BOB, NOTES) == [["SECRET OF bob"]]
    assert rig.values(ALICE, NOTES, db="alice-QOR", method="POST") == [["SECRET OF alice"]]


def test_a_query_may_also_stand_in_the_address(rig):
    assert rig.values(BOB, "", method="GET", fields={"q": NOTES}) == [["SECRET OF bob"]]


@pytest.mark.parametrize("headers", [
    {"X-Grafana-Org-Id": "2"}, {"X-Grafana-User": "alice"}, {"Authorization": "Token abc"},
    {"X-Forwarded-User": "alice"}, {"X-Dashboard-Uid": "alice"}, {"Host": "alice.test"},
])
def test_no_other_header_moves_anybody(rig, headers):
    assert rig.values(BOB, NOTES, headers=headers) == [["SECRET OF bob"]]


@pytest.mark.parametrize("db", ["alice-QOR", "alice-drc", "postgres", "", "qor", "QOR ", "QOR'--", "bob-QOR\0"])
def test_a_database_that_is_not_ones_own_is_refused(rig, db):
    answer = rig.ask(BOB, NOTES, db=db)
    assert (answer.status_code, "not one of yours" in rig.problem(answer)) == (403, True)


def test_a_stranger_to_all_tenants_is_refused_and_noted(rig):
    answer = rig.ask(CHARLIE, NOTES)
    assert answer.status_code == 403
    assert "You have no tenant here" in rig.problem(answer)
    assert ("Grafana user:14", rig.problem(answer), None) in rig.refusals()


def test_a_refusal_of_somebody_known_stands_on_the_tenants_page(rig):
    answer = rig.ask(BOB, NOTES, db="alice-timing_report")
    assert ("bob (user:13)", rig.problem(answer), rig.tenants["bob"].serial) in rig.refusals()


@pytest.mark.parametrize("subject", ["anonymous:0", "user:0", "service-account:0", "service-account:16", "api-key:12",
                                     "user:12 ", "user:", "12", "render:0"])
def test_the_unnamed_and_service_accounts_without_a_tenant_are_refused(rig, subject):
    assert rig.ask(subject, NOTES).status_code in {401, 403}


def test_a_service_account_of_a_tenant_sees_that_tenant(fresh):
    fresh.identities.link(fresh.world.operator, "service-account:77", "bob", member="capture")
    assert fresh.values("service-account:77", NOTES) == [["SECRET OF bob"]]
    assert fresh.ask("user:77", NOTES).status_code == 403


@pytest.mark.parametrize("name", ["X-Id-Token", "Authorization", "X-JWT-Assertion"])
def test_a_token_of_a_persons_own_sign_on_tells_nobody_who_asks(rig, name):
    """Whoever has one may send it through Grafana's proxy; it names its owner, not the one who asks."""
    headers = {"X-Belvedere-Gateway": SECRET, name: f"Bearer {rig.mint.token(ALICE)}"}
    answer = rig.send("POST", "/query", {"db": "QOR"}, {"q": NOTES}, headers)
    assert (answer.status_code, "does not say who asks" in rig.problem(answer)) == (401, True)
    assert rig.values(BOB, NOTES, headers={name: rig.mint.token(ALICE)}) == [["SECRET OF bob"]]


def test_a_request_that_is_not_grafanas_is_refused(rig):
    for secret in ("", "wrong", SECRET + " ", SECRET[:-1], f"{SECRET}, {SECRET}"):
        answer = rig.send("POST", "/query", {"db": "QOR"}, {"q": NOTES},
                          {"X-Belvedere-Gateway": secret, "X-Grafana-Id": rig.mint.token(ALICE)})
        assert answer.status_code == 401
    assert rig.send("GET", "/ping", {}, {}, {}).status_code == 401
    assert rig.send("GET", "/ping", {}, {}, {"X-Belvedere-Gateway": SECRET}).status_code == 204


def bad_tokens(mint: Mint) -> dict[str, str]:
    now = int(time.time())
    good = mint.token(ALICE)
    head, body, signature = good.split(".")
    other = Mint()
    bobs = mint.token(BOB).split(".")[1]
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": mint.kid}).encode()).rstrip(b"=").decode()
    return {
        "none": "", "noise": "abc", "three parts of noise": "a.b.c", "another's body": f"{head}.{bobs}.{signature}",
        "no signature": f"{head}.{body}.", "alg none": f"{unsigned}.{body}.",
        "another key": other.token(ALICE), "a key that is not published": mint.token(ALICE, header={"kid": "id-x"}),
        "another method": mint.token(ALICE, header={"alg": "HS256"}),
        "demands more": mint.token(ALICE, header={"crit": ["b64"]}),
        "expired": mint.token(ALICE, exp=now - 1, iat=now - 601), "of tomorrow": mint.token(ALICE, iat=now + 3600),
        "for ever": mint.token(ALICE, exp=now + 10**9), "another Grafana": mint.token(ALICE, iss="http://evil.test/"),
        "another organisation": mint.token(ALICE, aud="org:3"), "no organisation": mint.token(ALICE, aud=[]),
        "two organisations": mint.token(ALICE, aud=["org:3", "org:19"]),
        "a number as subject": mint.token(ALICE, sub=12),
        "too long": mint.token(ALICE, more="x" * 9000), "twice": f"{good}, {good}",
    }


@pytest.mark.parametrize("which", sorted(bad_tokens(Mint())))
def test_a_token_that_is_not_good_is_refused(rig, which):
    answer = rig.ask(None, NOTES, headers={"X-Grafana-Id": bad_tokens(rig.mint)[which]})
    assert answer.status_code == 401
    assert "SECRET" not in answer.text


def test_a_token_stays_good_after_its_first_use_only_until_it_expires(rig):
    token = rig.mint.token(ALICE, exp=time.time() + 1.0)
    assert rig.ask(None, NOTES, headers={"X-Grafana-Id": token}).status_code == 200
    answer = rig.ask(None, NOTES, headers={"X-Grafana-Id": token})
    while answer.status_code == 200:  # one second at most
        answer = rig.ask(None, NOTES, headers={"X-Grafana-Id": token})
    assert "expired" in rig.problem(answer)


def test_keys_are_fetched_once_and_again_when_grafana_takes_a_new_one(rig, monkeypatch):
    made = rig_of(rig.world)
    for _ in range(5):
        assert made.ask(ALICE, NOTES).status_code == 200
    assert made.mint.asked == 1
    made.mint.turn("id-2026-12-es256")
    monkeypatch.setattr("belvedere.gateway.grafana._PAUSE_S", 0.0)
    assert made.ask(ALICE, NOTES).status_code == 200
    assert made.mint.asked == 2


def test_a_grafana_that_is_away_is_a_later_and_no_refusal(rig, monkeypatch):
    made = rig_of(rig.world)
    monkeypatch.setattr(made.mint, "published", dict)
    assert made.ask(ALICE, NOTES).status_code == 503


def test_who_is_unlinked_sees_nothing_from_the_next_query_on(fresh):
    fresh.identities.link(fresh.world.operator, "user:50", "bob", member="bella")
    assert fresh.values("user:50", NOTES) == [["SECRET OF bob"]]
    assert fresh.identities.unlink(fresh.world.operator, "user:50") == 1
    assert fresh.ask("user:50", NOTES).status_code == 403


def test_who_leaves_the_tenant_or_is_suspended_sees_nothing_from_the_next_query_on(fresh):
    person, serial = uuid4(), fresh.tenants["bob"].serial
    with fresh.world.database.transaction() as connection:
        connection.execute(
            "INSERT INTO person (id, login, name, email, password_hash, password_set_at, created_at, created_by) "
            "VALUES (%s, 'bea', 'Bea', 'bea@x.org', 'x', now(), now(), 'test')", [person])
    with pytest.raises(NotFound):
        fresh.identities.link(fresh.world.operator, "user:51", serial, member="bea", person=person)
    with fresh.world.database.transaction() as connection:
        connection.execute(
            "INSERT INTO member (tenant_id, person_id, role, source, joined_at, joined_by) "
            "VALUES (%s, %s, 'viewer', 'hand', now(), 'test')", [serial, person])
    fresh.identities.link(fresh.world.operator, "user:51", serial, member="bea", person=person)
    assert fresh.values("user:51", NOTES) == [["SECRET OF bob"]]
    with fresh.world.database.transaction() as connection:
        connection.execute("UPDATE member SET suspended_at = now() WHERE person_id = %s", [person])
    assert fresh.ask("user:51", NOTES).status_code == 403
    with fresh.world.database.transaction() as connection:
        connection.execute("DELETE FROM member WHERE person_id = %s", [person])
    assert "user:51" not in {one.subject for one in fresh.identities.of_tenant(fresh.world.operator, serial)}


def test_a_person_of_several_tenants_says_which_by_the_database(fresh):
    for name in ("alice", "bob"):
        fresh.identities.link(fresh.world.operator, "user:60", name, member="dana")
    assert fresh.values("user:60", NOTES, db="alice-QOR") == [["SECRET OF alice"]]
    assert fresh.values("user:60", NOTES, db="bob-QOR") == [["SECRET OF bob"]]
    answer = fresh.ask("user:60", NOTES)
    assert answer.status_code == 400
    assert "several tenants" in fresh.problem(answer)
    fresh.identities.unlink(fresh.world.operator, "user:60")


def test_where_grafana_sends_the_login_too_it_must_be_the_linked_one(fresh):
    fresh.identities.link(fresh.world.operator, "user:61", "bob", member="bob", login="bob")
    assert fresh.ask("user:61", NOTES).status_code == 200
    assert fresh.ask("user:61", NOTES, headers={"X-Grafana-User": "bob"}).status_code == 200
    assert fresh.ask("user:61", NOTES, headers={"X-Grafana-User": "Bob"}).status_code == 403
    fresh.identities.unlink(fresh.world.operator, "user:61")


def test_only_operators_of_the_installation_link(rig):
    member = Actor(name="bob", role=Role.ADMIN, tenant=rig.tenants["bob"].serial, door="test")
    with pytest.raises((NotFound, Forbidden)):
        rig.identities.link(member, "user:13", "alice", member="bob")
    for subject in ("user:0", "anonymous:0", "user:12' OR 1=1", "12", ""):
        with pytest.raises(Rejected):
            rig.identities.link(rig.world.operator, subject, "alice", member="x")


def test_inside_a_tenants_fence_only_its_own_links_show(rig):
    serial = rig.tenants["alice"].serial
    with rig.world.database.tenant_transaction(serial) as connection:
        found = connection.execute("SELECT subject FROM gateway_identities").fetchall()
    assert [row["subject"] for row in found] == [ALICE]


def test_a_tenant_that_is_on_its_way_out_is_nobodys(fresh):
    with fresh.world.database.transaction() as connection:
        connection.execute("UPDATE tenant SET is_active = false WHERE serial = %s", [fresh.tenants["bob"].serial])
    assert fresh.ask(BOB, NOTES).status_code == 403
    with fresh.world.database.transaction() as connection:
        connection.execute("UPDATE tenant SET is_active = true WHERE serial = %s", [fresh.tenants["bob"].serial])


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/write"), ("POST", "/api/v2/delete"), ("POST", "/api/v2/query"), ("DELETE", "/query"), ("PUT", "/query"),
    ("GET", "/"), ("GET", "/query/"), ("GET", "//query"), ("GET", "/query/../query"), ("POST", "/QUERY"),
    ("GET", "/metrics"), ("GET", "/debug/vars"), ("PATCH", "/query"), ("POST", "/ping"),
])
def test_everything_but_a_query_is_refused(rig, method, path):
    if path == "/query/../query":
        path = "/query/%2e%2e/query"
    answer = rig.ask(ALICE, NOTES, method=method, path=path)
    assert answer.status_code == 403
    assert "SECRET" not in answer.text
    assert any("answers queries only" in reason for _, reason, _ in rig.refusals())

