"""Flash messages reach their audience, once, and are never anything but text."""

from datetime import timedelta

import pytest

from belvedere.identity.flash import Flashes
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.errors import Forbidden, NotFound, Rejected

ALICE = Actor("alice", Role.ADMIN, door="portal")
BOB = Actor("bob", Role.VIEWER, door="portal")
TENANT_ONE = Actor("alice", Role.OPERATOR, tenant=1, door="api")
TENANT_TWO = Actor("charlie", Role.OPERATOR, tenant=2, door="api")


def texts(flashes: Flashes, actor: Actor) -> list[str]:
    return [flash.text for flash in flashes.visible(actor)]


def test_each_audience_sees_its_own(flashes: Flashes) -> None:
    for audience in ("all", "operators", "tenant:1", "person:alice"):
        flashes.create(SYSTEM, "info", audience, audience=audience)
    assert set(texts(flashes, ALICE)) == {"all", "operators", "person:alice"}
    assert set(texts(flashes, BOB)) == {"all", "operators"}
    assert set(texts(flashes, TENANT_ONE)) == {"all", "tenant:1"}, "a tenant's alice is not the operator alice"
    assert set(texts(flashes, TENANT_TWO)) == {"all"}


def test_dismissing_is_ones_own(flashes: Flashes) -> None:
    made = flashes.create(SYSTEM, "warn", "Grafana is away", "/health")
    for actor in (ALICE, TENANT_ONE):
        flashes.dismiss(actor, made.id)
        flashes.dismiss(actor, made.id)
        assert texts(flashes, actor) == []
    assert texts(flashes, BOB) == texts(flashes, TENANT_TWO) == ["Grafana is away"]


def test_what_one_cannot_see_one_cannot_dismiss(flashes: Flashes) -> None:
    made = flashes.create(SYSTEM, "info", "for one", audience="tenant:1")
    with pytest.raises(NotFound):
        flashes.dismiss(TENANT_TWO, made.id)


def test_a_message_goes_at_its_time(flashes: Flashes, clock) -> None:
    flashes.create(SYSTEM, "good", "soon over", expires_at=clock() + timedelta(minutes=5))
    assert texts(flashes, ALICE) == ["soon over"]
    clock.forward(minutes=5)
    assert texts(flashes, ALICE) == []
    with pytest.raises(Rejected):
        flashes.create(SYSTEM, "good", "over already", expires_at=clock())


def test_a_tenant_reaches_itself_only(flashes: Flashes) -> None:
    flashes.create(TENANT_ONE, "info", "to ourselves", audience="tenant:1")
    for audience in ("all", "operators", "tenant:2", "person:bob"):
        with pytest.raises(NotFound):
            flashes.create(TENANT_ONE, "info", "to others", audience=audience)
    with pytest.raises(Forbidden):
        flashes.create(BOB, "info", "viewers look")


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("level", {"level": "loud"}),
        ("text", {"text": ""}),
        ("text", {"text": "x" * 201}),
        ("text", {"text": "two\nlines"}),
        ("text", {"text": "turned \u202e around"}),
        ("audience", {"audience": "everyone"}),
        ("audience", {"audience": "tenant:0"}),
        ("link", {"link": "javascript:alert(1)"}),
        ("link", {"link": "//evil.example"}),
        ("link", {"link": "/\\evil.example"}),
        ("link", {"link": "https:///x"}),
        ("link", {"link": "data:text/html,x"}),
        ("link", {"link": "relative"}),
        ("link", {"link": "http://[broken"}),
    ],
)
def test_what_is_not_plain_is_refused_by_field(flashes: Flashes, field: str, more: dict) -> None:
    members = {"level": "info", "text": "hello", "link": None, "audience": "all"} | more
    with pytest.raises(Rejected) as refused:
        flashes.create(SYSTEM, **members)
    assert refused.value.field == field


@pytest.mark.parametrize("link", ["/tenants?state=failed#x", "https://example.org/a?b=c", "http://127.0.0.1:8050/"])
def test_links_of_ours_and_of_the_web_are_fine(flashes: Flashes, link: str) -> None:
    assert flashes.create(SYSTEM, "info", "look", link).link == link
