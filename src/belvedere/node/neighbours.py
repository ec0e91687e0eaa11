"""What `belvedere doctor` asks of the servers beside Belvedere: a Grafana, an InfluxDB, an SFTPGo.

Of each that the settings name: does it answer, is it a version that Belvedere knows, does it let the login do what is
needed, do the clocks agree. Nothing is changed there. They are asked side by side by the adapters that work with them,
and given up together after `PATIENCE_S`. What is not here: what this machine lacks (`doctor.py`).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from threading import Thread
from typing import Final

import httpx2

from belvedere.intake.sftpgo.api import SftpGo
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.http import clock_ahead_s
from belvedere.kernel.settings import Settings
from belvedere.node.finding import Finding
from belvedere.stores.influx.api import Influx
from belvedere.stores.influx.hardening import reaches_others
from belvedere.stores.influx.wire import access_of
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.problems import shown_address
from belvedere.workspaces.grafana.wire import base_of, is_set

PATIENCE_S: Final = 20.0
"""Longest that all of them together are waited for, in seconds."""

CLOCKS_APART_S: Final = 30.0
"""From here on Grafana's identity tokens are not good any more (`gateway/idtoken.py`)."""

_CALL_S: Final = 5.0
_OLDEST_GRAFANA: Final = (9, 3)
_NEWEST_GRAFANA: Final = (13,)
_SENDS_WHO_ASKS: Final = (10, 3)
_NEED_NOT_BE_ASKED: Final = (12,)
_OLDEST_SFTPGO: Final = (2, 5)
_SFTPGO_RIGHTS: Final = ("view_users", "add_users", "edit_users", "del_users", "quota_scans")
_INFLUXDB_RIGHTS: Final = (("write", "buckets"), ("write", "authorizations"))

Transports = Mapping[str, httpx2.BaseTransport]
_Check = Callable[[Settings, httpx2.BaseTransport | None], Iterator[Finding]]


def neighbours(settings: Settings, transports: Transports | None = None) -> Callable[[], list[Finding]]:
    """Begin to ask those that the settings name; return what waits for the answers. `transports` are for tests."""
    answers: dict[str, list[Finding]] = {}
    asked: list[tuple[str, Thread]] = []
    for name, check in _CHECKS.items():
        transport = (transports or {}).get(name)

        def ask(name: str = name, check: _Check = check, transport: httpx2.BaseTransport | None = transport) -> None:
            answers[name] = list(_tried(name, check(settings, transport)))

        # A daemon: one that hangs in spite of its time-outs must not keep the command from ending.
        asked.append((name, Thread(target=ask, name=f"doctor-{name}", daemon=True)))
        asked[-1][1].start()
    until = time.monotonic() + PATIENCE_S

    def wait() -> list[Finding]:
        for _, thread in asked:
            thread.join(max(0.0, until - time.monotonic()))
        late = Finding("", "needs you", f"no whole answer within {PATIENCE_S:.0f} s",
                       "see whether something between here and there takes packets away")
        return [one for name, _ in asked for one in answers.get(name, [replace(late, name=name)])]

    return wait


def _tried(name: str, found: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from found
    except BelvedereError as error:
        yield Finding(name, "needs you", error.detail, error.hint or "check its address, and that it runs")


def _grafana(settings: Settings, transport: httpx2.BaseTransport | None) -> Iterator[Finding]:
    if not settings.grafana_url:
        return
    if not is_set(settings):
        yield Finding("grafana", "needs you", "GRAFANA_URL is set, but no login: this Grafana is not used",
                      "set GRAFANA_USER and GRAFANA_PASSWORD, of a server administrator of it")
        return
    url = settings.grafana_url.rstrip("/")
    grafana = Grafana(
        replace(base_of(settings), url=url, user=settings.grafana_user, password=settings.grafana_password,
                timeout_s=_call_s(settings.grafana_timeout_s)), transport=transport, pause=lambda _: None,
    )
    try:
        version = grafana.version()
        # Listing all organisations is for server administrators alone, as is what is done for tenants.
        grafana.ask(requests.organisations(1))
        there = f"{_dotted(version) or 'of a hidden version'} at {shown_address(url)}"
        who = f"{there}; {settings.grafana_user} is its administrator"
        yield _fitting("grafana", version, _OLDEST_GRAFANA, who, newest=_NEWEST_GRAFANA)
        if settings.gateway:
            yield from _who_asks(version, grafana.ask(requests.frontend_settings(), 403, 404).body)
    finally:
        grafana.close()
    yield from _clock("grafana", f"{url}/api/health", str(base_of(settings).ca_file), transport)


def _who_asks(version: tuple[int, ...], told: object) -> Iterator[Finding]:
    """Say whether Grafana tells the query gateway who asks."""
    toggles = told.get("featureToggles") if isinstance(told, dict) else None
    if version and version < _SENDS_WHO_ASKS:
        yield Finding("grafana", "needs you", "before 10.3 it does not tell the query gateway who asks",
                      "upgrade Grafana, or give tenants the tier `org`")
    elif isinstance(toggles, dict) and toggles.get("idForwarding") is True:
        yield Finding("grafana", "ready", "it tells the query gateway who asks (idForwarding)")
    elif isinstance(toggles, dict) and not (version and version >= _NEED_NOT_BE_ASKED):
        yield Finding("grafana", "needs you", "its toggle idForwarding is off: the query gateway refuses everybody",
                      "in grafana.ini, section feature_toggles: enable = idForwarding")
    else:
        yield Finding("grafana", "partial", "it does not say whether it tells the query gateway who asks",
                      "open a dashboard of a tenant in tier `team`, and look at belvedere history list")


def _influxdb(settings: Settings, transport: httpx2.BaseTransport | None) -> Iterator[Finding]:
    """Also whether its Flux is kept from other servers."""
    access = access_of(settings)
    if access is None:
        return
    influx = Influx(
        replace(access, timeout_s=_call_s(access.timeout_s)), transport=transport, pause=lambda _: None
    )
    try:
        influx.org()
        version = influx.version()
        if version and _numbers(version)[:1] != (2,):
            yield Finding("influxdb", "needs you", f"{version} at {shown_address(access.url)} is no InfluxDB 2",
                          "docs/how-to/influxdb.md says what was tried with others")
            return
        known = influx.own_rights()
        lacking = [f"{action} {kind}" for action, kind in _INFLUXDB_RIGHTS if known and (action, kind) not in known]
        needed = "INFLUXDB_ADMIN_TOKEN must be allowed to make buckets and tokens in INFLUXDB_ORG"
        if lacking:
            yield Finding("influxdb", "needs you", f"its token may not {' and '.join(lacking)} of {access.org}", needed)
        elif known is not None and not known:
            yield Finding("influxdb", "partial", "its token sees no tokens, and so may not make any", needed)
        elif reaches_others(influx):
            said = "any tenant who may ask it reaches the servers beside it: Flux calls addresses and SQL servers"
            yield Finding("influxdb", "needs you", said, "start it with influxd --hardening-enabled")
        else:
            yield Finding("influxdb", "ready", f"{version or 'of a hidden version'} at "
                          f"{shown_address(access.url)}; Flux reaches no private address")
    finally:
        influx.close()
    yield from _clock("influxdb", f"{access.url}/ping", access.ca_file, transport)


def _sftpgo(settings: Settings, transport: httpx2.BaseTransport | None) -> Iterator[Finding]:
    if not settings.sftpgo_url:
        return
    url = settings.sftpgo_url.rstrip("/")
    server = SftpGo(
        url, settings.sftpgo_user, settings.sftpgo_password, ca_file=settings.sftpgo_ca_file, transport=transport,
        pause=lambda _: None, timeout_s=_CALL_S,
    )
    try:
        version = server.version()
        next(server.users(), None)
        rights = server.rights()
        lacking = [one for one in _SFTPGO_RIGHTS if rights and not {one, "*"} & rights]
        if lacking:
            yield Finding("sftpgo", "needs you", f"its administrator {settings.sftpgo_user} lacks {', '.join(lacking)}",
                          "give it these permissions on SFTPGo's page of administrators")
        else:
            there = f"{version or 'of a hidden version'} at {shown_address(url)}"
            who = f"{there}; {settings.sftpgo_user} may keep its users"
            yield _fitting("sftpgo", _numbers(version), _OLDEST_SFTPGO, who)
    finally:
        server.close()
    yield from _clock("sftpgo", f"{url}/healthz", settings.sftpgo_ca_file, transport)


def _fitting(
    name: str, version: tuple[int, ...], oldest: tuple[int, ...], who: str, *, newest: tuple[int, ...] = ()
) -> Finding:
    if version and version < oldest:
        return Finding(name, "needs you", f"{who}; Belvedere needs {_dotted(oldest)} or newer", "upgrade it")
    if newest and version[: len(newest)] > newest:
        return Finding(name, "partial", f"{who}; Belvedere was made for versions up to {_dotted(newest)}",
                       "try it with a tenant of no weight: belvedere workspace plan NAME")
    return Finding(name, "ready", who)


def _clock(name: str, url: str, ca_file: str, transport: httpx2.BaseTransport | None) -> Iterator[Finding]:
    """Say when its clock and ours are too far apart; one that does not tell its time is none the worse."""
    ahead = clock_ahead_s(url, timeout_s=_CALL_S, ca_file=ca_file, transport=transport)
    if ahead is not None and abs(ahead) > CLOCKS_APART_S:
        which = "ahead of" if ahead > 0 else "behind"
        yield Finding(name, "needs you", f"its clock is {abs(ahead):,.0f} s {which} this machine's",
                      "set both by NTP: timedatectl set-ntp true")


def _call_s(configured: float) -> float:
    return min(configured, _CALL_S)


def _numbers(version: str) -> tuple[int, ...]:
    plain = version.removeprefix("v").split("-")[0].split("+")[0]
    return tuple(int(one) for one in plain.split(".") if one.isdecimal())


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


_CHECKS: Final[Mapping[str, _Check]] = {"grafana": _grafana, "influxdb": _influxdb, "sftpgo": _sftpgo}
