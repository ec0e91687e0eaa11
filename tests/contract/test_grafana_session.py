"""A sign-in that lasts: taken, given up, renewed, and never sent for another login; over the twin and the real one."""

from collections.abc import Iterator

import httpx2
import pytest

from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests, session
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana, Unsure
from belvedere.workspaces.grafana.testing import TwinGrafana
from grafana_faults import Faulty, html, said
from grafana_world import REAL, access_of

pytestmark = pytest.mark.contract


class Watched(Faulty):
    """Remembers how each request proved who asks."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        seen = "cookie" if "Cookie" in request.headers else request.headers.get("Authorization", "").partition(" ")[0]
        self.__dict__.setdefault("proofs", []).append(f"{request.method} {request.url.path} {seen}".strip())
        return super().handle_request(request)

    def told(self) -> list[str]:
        told, self.__dict__["proofs"] = self.__dict__.get("proofs", []), []
        return told


@pytest.fixture(params=["twin", *(["real"] if REAL else [])])
def watched(request: pytest.FixtureRequest) -> Watched:
    return Watched(TwinGrafana() if request.param == "twin" else httpx2.HTTPTransport())


@pytest.fixture
def grafana(watched: Watched) -> Iterator[Grafana]:
    made = Grafana(access_of(REAL or "http://grafana.test"), transport=watched, pause=lambda _s: None)
    yield made
    watched.fault = lambda _n, _r: None
    made.close()
    assert watched.wrong == []


def test_the_password_is_sent_once_and_the_session_is_ended(watched: Watched) -> None:
    grafana = Grafana(access_of(REAL or "http://grafana.test"), transport=watched)
    for _ in range(3):
        grafana.ask(requests.organisation(1))
    assert watched.told() == ["POST /login", *["GET /api/orgs/1 cookie"] * 3]
    kept = grafana._session._headers()
    grafana.close()
    assert watched.told() == ["GET /logout cookie"]
    assert kept


def test_a_lost_session_costs_no_call_and_is_made_again(watched: Watched, grafana: Grafana) -> None:
    grafana.ask(requests.organisation(1))
    grafana._session._since -= session._YOUNG_S
    watched.told()
    watched.fault = lambda _n, request: said(401, "Unauthorized") if "Cookie" in request.headers else None
    grafana.ask(requests.organisation(1))
    assert watched.told() == ["GET /api/orgs/1 cookie", "GET /api/orgs/1 Basic"]
    watched.fault = lambda _n, _r: None
    grafana.ask(requests.organisation(1))
    assert watched.told() == ["POST /login", "GET /api/orgs/1 cookie"]


def test_a_session_that_is_never_taken_is_not_tried_with_every_call(watched: Watched, grafana: Grafana) -> None:
    watched.fault = lambda _n, request: said(401, "Unauthorized") if "Cookie" in request.headers else None
    for _ in range(3):
        grafana.ask(requests.organisation(1))
    assert watched.told() == ["POST /login", "GET /api/orgs/1 cookie", *["GET /api/orgs/1 Basic"] * 3]


@pytest.mark.parametrize("answer", [lambda: said(404, "Not found"), lambda: said(400, "off"), html, lambda: "refused"])
def test_where_signing_in_is_not_offered_the_password_goes_with_each_call(
    watched: Watched, grafana: Grafana, answer: object
) -> None:
    watched.fault = lambda _n, request: answer() if request.url.path == "/login" else None  # type: ignore[operator]
    for _ in range(2):
        grafana.ask(requests.organisation(1))
    assert watched.told() == ["POST /login", *["GET /api/orgs/1 Basic"] * 2]


def test_a_check_of_the_origin_ends_in_calls_with_the_password(watched: Watched, grafana: Grafana) -> None:
    refusal = httpx2.Response(403, content=b"origin not allowed")
    watched.fault = lambda _n, request: refusal if "Cookie" in request.headers else None
    grafana.ask(requests.organisation(1))
    assert watched.told()[-1] == "GET /api/orgs/1 Basic"


def test_the_cookie_changes_before_grafana_asks_for_it(watched: Watched, grafana: Grafana) -> None:
    grafana.ask(requests.organisation(1))
    before = grafana._session._headers()
    grafana._session._since -= session._ROTATES_S + 1
    watched.told()
    grafana.ask(requests.organisation(1))
    first, *signed_in, last = watched.told()
    assert (first, last) == ("POST /api/user/auth-tokens/rotate cookie", "GET /api/orgs/1 cookie")
    # Grafana 9.3.2 changes none on demand; there it costs a new session.
    assert signed_in == ([] if grafana.version() >= (10,) else ["POST /login"])
    assert grafana._session._headers() != before


def test_another_login_is_never_asked_with_our_session(watched: Watched, grafana: Grafana) -> None:
    grafana.ask(requests.organisation(1))
    watched.told()
    assert not grafana.is_login("nobody", Secret("nothing"))
    assert watched.told() == ["GET /api/user Basic"]


def test_a_write_that_broke_while_signing_in_was_never_sent(watched: Watched, grafana: Grafana) -> None:
    """To take it for perhaps done would take somebody else's organisation of that name for ours."""
    watched.fault = lambda _n, _r: "refused"
    with pytest.raises(Later) as caught:
        grafana.ask(requests.create_organisation("never"))
    assert not isinstance(caught.value, Unsure)


def test_a_wrong_password_is_tried_once(watched: Watched) -> None:
    access = Access(access_of(REAL or "http://grafana.test").url, "nobody", Secret("wrong-one"))
    wrong = Grafana(access, transport=watched)
    for _ in range(3):
        with pytest.raises(Stuck):
            wrong.ask(requests.organisation(1))
    assert watched.told() == ["POST /login"]
    wrong.close()
