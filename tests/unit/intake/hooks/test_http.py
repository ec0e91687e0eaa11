"""SFTPGo's HTTP hooks: what is kept, what is refused, and that order and repetition change nothing."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.intake.hooks.conftest import ROOT, SECRET, SESSION, Rig

from belvedere.intake.hooks.asgi import MOST_BODY
from belvedere.intake.hooks.service import HEADER, PATH

AS_SEEN = (
    '{"action":"upload","username":"acme","path":"/srv/data/acme/camp/a.tsv","virtual_path":"/camp/a.tsv",'
    '"file_size":6,"fs_provider":0,"status":1,"protocol":"SFTP","ip":"127.0.0.1",'
    f'"session_id":"{SESSION}","timestamp":1795252416338930491}}\n'
)


def test_an_upload_as_a_real_server_tells_it_is_kept_before_the_answer(rig: Rig) -> None:
    answer, = rig.ask(("POST", PATH, {"content": AS_SEEN, "headers": {HEADER: SECRET}}))
    assert (answer.status_code, rig.noted()) == (200, [("acme", "camp/a.tsv", "closed")])
    with rig.database.transaction() as connection:
        jobs = connection.execute("SELECT task_name FROM procrastinate_jobs WHERE task_name LIKE 'intake.%'").fetchall()
    assert jobs


def test_each_action_causes_the_look_that_it_is_worth(rig: Rig) -> None:
    told = [
        rig.event("mkdir", "/camp"),
        rig.event("pre-upload", "/camp/a.tsv", open_flags=577),
        rig.event("upload", "/camp/cut.tsv", status=2),
        rig.event("first-upload", "/camp/a.tsv"),
        rig.event("upload", "/camp/empty.tsv"),  # SFTPGo leaves a size of 0 out.
        rig.rename("/camp/b.tsv.part", "/camp/b.tsv"),
        rig.rename("/camp", "/camp2"),
        rig.event("delete", "/camp/a.tsv", file_size=6),
        rig.event("rmdir", "/old"),
        rig.event("download", "/camp/a.tsv"),
        {**rig.event("copy", "/camp/a.tsv"), "target_path": f"{ROOT}/acme/c.tsv", "virtual_target_path": "/c.tsv"},
        rig.event("something-new", "/camp"),
    ]
    assert set(rig.tell(*told)) == {200}
    assert rig.noted() == sorted([
        ("acme", "camp", "made"), ("acme", "camp/empty.tsv", "closed"), ("acme", "camp/b.tsv.part", "removed"),
        ("acme", "camp/b.tsv", "closed"), ("acme", "camp", "removed"), ("acme", "camp2", "renamed"),
        ("acme", "camp/a.tsv", "removed"), ("acme", "old", "removed"), ("acme", "c.tsv", "closed"),
        ("acme", "", "look"),
    ])
    assert rig.refused() == []


def test_the_end_of_a_session_brings_no_path_and_means_a_look_at_everything(rig: Rig) -> None:
    address = f"{PATH}?connection_duration=40&ip=127.0.0.1&protocol=SFTP&username=acme"
    answers = rig.ask(("GET", address, {"headers": {HEADER: SECRET}}), ("GET", PATH, {"headers": {HEADER: SECRET}}))
    assert [one.status_code for one in answers] == [200, 400]
    assert rig.noted() == [("acme", "", "look")]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_order_and_any_repetition_ends_with_the_same_notices(rig: Rig, seed: int) -> None:
    told = [
        rig.event("mkdir", "/camp"), rig.event("upload", "/camp/a.part"), rig.rename("/camp/a.part", "/camp/a.tsv"),
        rig.event("upload", "/camp/a.tsv"), rig.event("delete", "/camp/a.tsv"),
    ]
    rig.forget()
    rig.tell(*told)
    once = rig.noted()
    rig.forget()
    chance = random.Random(seed)  # noqa: S311  (an order of events is no secret)
    mixed = told + chance.choices(told, k=4)
    chance.shuffle(mixed)
    cut = chance.randrange(len(mixed))
    assert set(rig.tell(*mixed[:cut]) + rig.tell(*mixed[cut:])) == {200}
    assert rig.noted() == once


@pytest.mark.parametrize("secret", ["", "wrong", SECRET + " ", SECRET.upper()])
def test_a_stranger_is_refused_and_a_flood_of_them_is_one_line(rig: Rig, secret: str) -> None:
    headers = {HEADER: secret} if secret else {}
    answers = rig.ask(*[("POST", PATH, {"content": AS_SEEN, "headers": headers})] * 40)
    assert {one.status_code for one in answers} == {401}
    assert rig.noted() == []
    found = rig.refused()
    assert {(actor, why) for actor, why, _ in found} == {("stranger", "It did not prove that it is SFTPGo.")}
    assert len(found) <= 2 and sum(count for _, _, count in found) == 40


def test_two_secrets_in_one_request_prove_nothing(rig: Rig) -> None:
    answer, = rig.ask(("POST", PATH, {"content": AS_SEEN, "headers": [(HEADER, SECRET), (HEADER, SECRET)]}))
    assert answer.status_code == 401


@pytest.mark.parametrize("path", [
    "/etc/passwd", "/srv/data/globex/camp/a.tsv", "/srv/data/acme/../globex/a.tsv", "/srv/data", "/srv/database/acme/a",
    "acme/a.tsv", "/srv/data/acme\0/a.tsv", "/srv/data/acmee/a.tsv",
])
def test_a_path_outside_the_users_own_folder_is_refused_and_in_the_history(rig: Rig, path: str) -> None:
    assert rig.tell({**rig.event("upload", "/a.tsv"), "path": path}) == [403]
    assert rig.tell({**rig.rename("/a", "/b"), "target_path": path}) == [403]
    assert rig.noted() == []
    assert {actor for actor, _, _ in rig.refused()} == {"acme"}


def test_one_that_is_refused_takes_nothing_with_it(rig: Rig) -> None:
    told = [rig.event("upload", "/a.tsv"), {**rig.event("upload", "/b"), "path": "/etc/b"}, rig.event("upload", "/c")]
    assert rig.tell(*told) == [200, 403, 200]
    assert rig.noted() == [("acme", "a.tsv", "closed"), ("acme", "c", "closed")]


def test_a_user_of_nobody_is_let_pass_and_told(rig: Rig) -> None:
    """SFTPGo would delete the file of a user that is not ours, if a hook that it waits for refused."""
    assert rig.tell({**rig.event("upload", "/a"), "username": "initech"}) == [200]
    assert rig.noted() == []
    assert rig.refused() == [("initech", "No tenant has an SFTP user of this name.", 1)]


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'{"action":1}', b'{"username":"acme"}', b'{"action":"upload","timestamp":"now"}',
    b'{"action":"upload","status":1.5}', b'{"action":"upload","path":{"a":1}}', b'\xff\xfe{"action":"upload"}',
    b'{"action":"upload","timestamp":1' + b"0" * 400 + b"}", b"[" * 100_000, b'{"action":"upload"}',
    b'{"action":"upload","timestamp":-1,"username":"acme"}',
    json.dumps({"action": "upload", "username": "acme", "path": "/srv/data/acme/" + "a" * 9000}).encode(),
    json.dumps({"action": "upload", "username": "u" * 2000}).encode(),
])
def test_what_is_no_event_is_refused(rig: Rig, body: bytes) -> None:
    answer, = rig.ask(("POST", PATH, {"content": body, "headers": {HEADER: SECRET}}))
    assert answer.status_code == 400
    assert rig.noted() == []
    assert [actor for actor, _, _ in rig.refused()] == ["SFTPGo"]


def test_a_huge_body_is_not_read(rig: Rig) -> None:
    async def endless():
        for _ in range(1000):
            yield b" " * 65_536

    said, unsaid = ({"content": b" " * (MOST_BODY + 1)}, {"content": endless()})
    answers = rig.ask(*(("POST", PATH, {**one, "headers": {HEADER: SECRET}}) for one in (said, unsaid)))
    assert [one.status_code for one in answers] == [400, 400]


NAMES = ["a\nb.tsv", "a'b\".tsv", "$(id)", "-rf", "a\\b", "é" * 100, "\u202egpj.tsv", "a\ufffdb", " ", "a\u0001"]


def test_names_of_any_kind_pass_as_they_are(rig: Rig) -> None:
    assert set(rig.tell(*(rig.event("upload", f"/camp/{name}") for name in NAMES))) == {200}
    assert len(rig.noted()) == len(NAMES)
    assert ("acme", "camp/$(id)", "closed") in rig.noted()


def test_a_burst_is_kept_in_few_transactions(rig: Rig) -> None:
    sizes = []
    keep = rig.hooks.take
    rig.hooks.take = lambda heard: (sizes.append(len(heard)), keep(heard))[1]  # type: ignore[method-assign]
    assert set(rig.tell(*(rig.event("upload", f"/camp/{number}") for number in range(300)))) == {200}
    assert sum(sizes) == 300 and len(sizes) < 10
    assert len(rig.noted()) == 300


def test_away_database_means_a_try_later(rig: Rig) -> None:
    from belvedere.kernel.errors import Later

    def away(heard):
        raise Later

    rig.hooks.take = away  # type: ignore[method-assign]
    assert rig.tell(rig.event("upload", "/a")) == [503]


def test_what_was_taken_stands_in_the_history_as_a_count(rig: Rig) -> None:
    rig.tell(*(rig.event("upload", f"/{number}") for number in range(5)))
    from belvedere.kernel.actor import SYSTEM

    found = rig.history.search(SYSTEM, verb="hook.take").items
    assert [(one.target, one.count, one.result) for one in found] == [("acme", 5, "succeeded")]
