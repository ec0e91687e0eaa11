"""Two tenants of one shared Grafana, each with the same tables and its own rows, and the gateway before them.

Alice's person is Grafana's user 12, Bob's is user 13; Charlie, user 14, has no tenant.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.unit.stores.conftest import World, installation

from belvedere.gateway.asgi import Application
from belvedere.gateway.grafana import GrafanaKeys
from belvedere.gateway.identities import LinkedIdentities
from belvedere.gateway.idtoken import Expected, IdTokens
from belvedere.gateway.model import Limits
from belvedere.gateway.service import Gateway
from belvedere.gateway.testing import Mint
from belvedere.kernel.clock import utc_now
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import Tenant

SECRET = "what only Grafana knows"
ALICE, BOB, CHARLIE = "user:12", "user:13", "user:14"
TABLE = """
CREATE TABLE runs (time timestamptz, design text, amount bigint, ratio numeric, slack float8, good boolean, note text);
INSERT INTO runs VALUES
  ('2026-11-20 10:00:00Z', 'ibex', 1, 1.50, -0.25, true, 'SECRET OF {name}'),
  ('2026-11-20 11:00:00Z', 'gcd', NULL, 'NaN', 'Infinity', false, 'it''s "quoted", and \\ back'),
  (NULL, 'aes', 9007199254740993, 2, 3, NULL, 'without a time')
"""


@dataclass
class Rig:
    """The gateway as Grafana meets it."""

    world: World
    mint: Mint
    gateway: Gateway
    identities: LinkedIdentities
    application: Application
    tenants: dict[str, Tenant] = field(default_factory=dict)

    def ask(self, subject: str | None, text: str, *, db: str = "QOR", method: str = "POST", path: str = "/query",
            headers: dict[str, str] | None = None, fields: dict[str, str] | None = None) -> httpx2.Response:
        """Send a request as Grafana does, with the token that it makes for a subject."""
        sent = {"X-Belvedere-Gateway": SECRET}
        if subject is not None:
            sent["X-Grafana-Id"] = self.mint.token(subject)
        return self.send(method, path, {"db": db, "epoch": "ms"} | (fields or {}), {"q": text}, sent | (headers or {}))

    def send(self, method: str, path: str, address: dict[str, str], form: dict[str, str],
             headers: dict[str, str]) -> httpx2.Response:
        async def run() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.application, raise_app_exceptions=True)
            async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
                return await client.request(method, path, params=address, headers=headers,
                                            **({"data": form} if method != "GET" else {}))

        return asyncio.run(run())

    def send_body(self, method: str, path: str, address: dict[str, str], body: bytes,
                  headers: dict[str, str]) -> httpx2.Response:
        """Send a request whose body is no form."""
        async def run() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.application, raise_app_exceptions=True)
            async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
                return await client.request(method, path, params=address, headers=headers, content=body)

        return asyncio.run(run())

    def values(self, subject: str, text: str, **more: Any) -> list[list[Any]]:
        """Return the rows of a query's first series."""
        answer = self.ask(subject, text, **more).json()
        return answer["results"][0]["series"][0]["values"]

    def problem(self, answer: httpx2.Response) -> str:
        """Return the error that Grafana would show; empty when it was answered."""
        body = answer.json()
        return body.get("error") or body["results"][0].get("error", "")

    def refusals(self) -> list[tuple[str, str, int | None]]:
        """Return who was refused, why, and on whose page that stands, oldest first."""
        found = self.world.history.search(self.world.operator, verb="gateway.query").items
        return [(one.actor, one.error, one.tenant) for one in reversed(found)]


def rig_of(world: World, **limits: int) -> Rig:
    mint = Mint()
    identities = LinkedIdentities(database=world.database, history=world.history, tenants=world.tenants)
    keys = GrafanaKeys("http://grafana.test", transport=mint.transport())
    tokens = IdTokens(find_key=keys.find, expected=Expected("http://grafana.test", 19), now=utc_now)
    gateway = Gateway(
        stores=world.stores, identities=identities, tokens=tokens, secrets=[Secret(SECRET)], history=world.history,
        limits=Limits(**limits), longest_s=10,
    )
    return Rig(world, mint, gateway, identities, Application(gateway))


@pytest.fixture(scope="module")
def grafana_world(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with installation(cluster, tmp_path_factory.mktemp("gateway")) as made:
        yield made


@pytest.fixture(scope="module")
def rig(grafana_world: World) -> Rig:
    made = rig_of(grafana_world)
    for subject, name in ((ALICE, "alice"), (BOB, "bob")):
        made.tenants[name] = grafana_world.tenant(name)
        made.identities.link(grafana_world.operator, subject, name, member=name)
        with grafana_world.writer(made.tenants[name]) as connection:
            connection.execute(TABLE.format(name=name))  # type: ignore[arg-type]
    return made


@pytest.fixture
def fresh(grafana_world: World, rig: Rig, tmp_path: Path) -> Rig:
    """The same, with a gateway of its own for tests that change something of it."""
    made = rig_of(grafana_world)
    made.tenants = rig.tenants
    return made
