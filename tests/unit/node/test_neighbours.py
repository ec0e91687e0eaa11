"""What doctor says of a Grafana, an InfluxDB and an SFTPGo: the twins of all three, as the real ones behave."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from belvedere.intake.sftpgo.testing import TwinSftpGo
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.node import neighbours as module
from belvedere.stores.influx.testing import TwinInflux
from belvedere.workspaces.grafana.testing import TwinGrafana

GRAFANA = {"grafana_url": "http://grafana.test", "grafana_user": "admin", "grafana_password": Secret("admin")}
SFTPGO = {"sftpgo_url": "http://sftpgo.test", "sftpgo_user": "admin", "sftpgo_password": Secret("admin")}


def said(transports: dict[str, httpx2.BaseTransport], **given: Any) -> list[tuple[str, str, str]]:
    found = module.neighbours(Settings(**given), transports)()
    assert all(one.hint for one in found if one.state != "ready"), found
    return [(one.name, one.state, one.found) for one in found]


class Changed(httpx2.BaseTransport):
    """A twin whose answers are changed on the way."""

    def __init__(self, twin: httpx2.BaseTransport, change: Callable[[httpx2.Request, httpx2.Response], Any]) -> None:
        self._twin = twin
        self._change = change

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._twin.handle_request(request)
        return self._change(request, answer) or answer


def test_nothing_is_said_of_what_is_not_set() -> None:
    assert said({}) == []


def test_each_that_is_well_is_told_with_its_version() -> None:
    influx = TwinInflux(org="belvedere")
    found = said(
        {"grafana": TwinGrafana(), "sftpgo": TwinSftpGo(), "influxdb": influx},
        **GRAFANA | {"grafana_url": "http://proxy:key-of-a-proxy@grafana.test"},
        **SFTPGO, influxdb_host="http://influx.test", influxdb_org="belvedere",
        influxdb_admin_token=Secret("admin-token"),
    )
    assert [(name, state) for name, state, _ in found] == [
        ("grafana", "ready"), ("influxdb", "ready"), ("sftpgo", "ready"),
    ]
    assert "key-of-a-proxy" not in str(found)
    assert "11.0.0" in found[0][2] and "2.7.8" in found[1][2] and "2.7.5" in found[2][2]


@pytest.mark.parametrize(("given", "state", "words"), [
    ({"grafana_password": Secret("")}, "needs you", "no login"),
    ({"grafana_password": Secret("wrong")}, "needs you", "does not know the login"),
    ({"grafana_user": "plain", "grafana_password": Secret("plain")}, "needs you", "not allow"),
])
def test_a_grafana_whose_login_does_not_do(given: dict[str, Any], state: str, words: str) -> None:
    twin = TwinGrafana()
    twin.answer("POST", "/api/admin/users", httpx2.Headers({"Authorization": "Basic YWRtaW46YWRtaW4="}),
                {"login": "plain", "password": "plain", "name": "plain", "OrgId": 1})
    [(name, seen, found)] = said({"grafana": twin}, **GRAFANA | given)
    assert (name, seen) == ("grafana", state)
    assert words in found


@pytest.mark.parametrize(("version", "state"), [("9.2.0", "needs you"), ("9.3.2", "ready"), ("14.0.1", "partial")])
def test_a_grafana_of_another_version(version: str, state: str) -> None:
    assert said({"grafana": TwinGrafana(version=version)}, **GRAFANA)[0][1] == state


@pytest.mark.parametrize(("version", "toggles", "state"), [
    ("11.0.0", {"idForwarding": True}, "ready"), ("11.0.0", {"other": True}, "needs you"),
    ("10.2.0", {}, "needs you"), ("12.1.0", {}, "partial"),
])
def test_whether_grafana_tells_the_query_gateway_who_asks(version: str, toggles: dict[str, bool], state: str) -> None:
    def told(request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response | None:
        asked = request.url.path == "/api/frontend/settings"
        return httpx2.Response(200, json={"featureToggles": toggles}) if asked else None

    found = said({"grafana": Changed(TwinGrafana(version=version), told)}, **GRAFANA, gateway=True)
    assert [one[1] for one in found] == ["ready", state]


def test_clocks_that_are_apart() -> None:
    def late(_request: httpx2.Request, answer: httpx2.Response) -> None:
        answer.headers["Date"] = format_datetime(datetime.now(UTC) - timedelta(minutes=2), usegmt=True)

    well, behind = said({"sftpgo": Changed(TwinSftpGo(), late)}, **SFTPGO)
    assert well[1] == "ready"
    assert behind[1] == "needs you"
    assert "s behind this machine's" in behind[2]


def test_an_sftpgo_whose_administrator_may_too_little() -> None:
    # {"permissions": ["view_users"]} between two dots, as in a JSON Web Token.
    token = "e30.eyJwZXJtaXNzaW9ucyI6WyJ2aWV3X3VzZXJzIl19.x"
    twin = TwinSftpGo()
    twin.valid.add(token)

    def narrow(request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response | None:
        if request.url.path != "/api/v2/token":
            return None
        return httpx2.Response(200, json={"access_token": token, "expires_at": "2099-01-01T00:00:00Z"})

    [(_, state, found)] = said({"sftpgo": Changed(twin, narrow)}, **SFTPGO)
    assert state == "needs you"
    assert "lacks add_users, edit_users, del_users, quota_scans" in found


@pytest.mark.parametrize(("rights", "state", "words"), [
    ([], "partial", "sees no tokens"),
    ([("read", "buckets"), ("write", "buckets")], "needs you", "may not write authorizations of belvedere"),
    ([("write", "buckets"), ("write", "authorizations")], "ready", "v2.7.8"),
])
def test_an_influxdb_whose_token_may_too_little(rights: list[tuple[str, str]], state: str, words: str) -> None:
    def listed(request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response | None:
        if request.url.path != "/api/v2/authorizations":
            return None
        shown = [{"action": action, "resource": {"type": kind}} for action, kind in rights]
        own = [{"id": "1", "token": "admin-token", "permissions": shown}] if rights else []
        return httpx2.Response(200, json={"authorizations": own})

    [(_, seen, found)] = said(
        {"influxdb": Changed(TwinInflux(org="belvedere"), listed)}, influxdb_host="http://influx.test",
        influxdb_org="belvedere", influxdb_admin_token=Secret("admin-token"),
    )
    assert seen == state
    assert words in found


def test_one_that_hangs_is_given_up_and_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    go = threading.Event()

    class Hanging(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            go.wait(30)
            message = "at last"
            raise httpx2.ConnectError(message, request=request)

    began = time.monotonic()
    found = said({"grafana": Hanging(), "sftpgo": TwinSftpGo()}, **GRAFANA, **SFTPGO)
    go.set()
    assert time.monotonic() - began < 10
    assert [(name, state) for name, state, _ in found] == [("grafana", "needs you"), ("sftpgo", "ready")]
    assert "no whole answer" in found[0][2]
