"""Tenants, stores and a Grafana for tests of workspaces: the twin, or the real one of BELVEDERE_TEST_GRAFANA_URL."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4, uuid5

import httpx2
import pytest

from belvedere.audit.service import FileHistory
from belvedere.credentials.service import Credentials
from belvedere.credentials.vault import Vault
from belvedere.dashboards.to_gateway import carried, uncarried
from belvedere.identity.members.service import Members
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.reactions import REACTIONS
from belvedere.stores.model import TABLE_KINDS, Store, StoreState, database_name
from belvedere.tenants.service import Tenants
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.desired import Options
from belvedere.workspaces.grafana.own import OwnGrafanas
from belvedere.workspaces.grafana.shared.model import QueryGateway, Shared
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.model import Model
from belvedere.workspaces.moves import Moves
from belvedere.workspaces.people import People
from belvedere.workspaces.port import Place, Publication
from belvedere.workspaces.service import Workspaces
from belvedere.workspaces.tiers import Tier
from belvedere.workspaces.viewer.workspace import ViewerWorkspace

REAL = os.environ.get("BELVEDERE_TEST_GRAFANA_URL", "")
"""Such as `http://admin:admin@127.0.0.1:3000`; without it only the twin is tried."""


SHARED = os.environ.setdefault("BELVEDERE_TEST_SHARED", f"Shared {uuid4().hex[:8]}")
"""The organisation that tenants of tier `team` share in this run, and in processes that it starts."""

FAKE = UUID(int=4)
"""Stores bear the same ids in every process of a test."""


def access_of(url: str, **more: Any) -> Access:
    """Take login and password out of an address."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    return Access(bare, parts.username or "admin", Secret(parts.password or "admin"), **more)


def since(version: int, why: str) -> None:
    """Leave a test out where the real Grafana is older than what it is about."""
    looking = Grafana(access_of(REAL))
    found = looking.version()
    looking.close()
    if found < (version,):
        pytest.skip(why)


def says_who_asks() -> None:
    """Leave a test out where the real Grafana cannot tell the query gateway who asks: everybody is refused there."""
    since(10, "before version 10 Grafana does not say who asks")


@dataclass
class FakeStores:
    """The stores room as workspaces see it: three databases a tenant, with a reader's password."""

    host: str = "127.0.0.1"
    port: int = 5432
    passwords: dict[UUID, Secret] = field(default_factory=dict)
    made: dict[int, list[Store]] = field(default_factory=dict)

    def of_tenant(self, serial: int) -> list[Store]:
        if serial not in self.made:
            self.made[serial] = [
                Store(
                    uuid5(FAKE, f"{serial} {kind}"), serial, kind,
                    "main", database_name(f"t{serial}", kind), self.host, self.port,
                    StoreState.READY, datetime.now(UTC),
                )
                for kind in TABLE_KINDS
            ]
        return self.made[serial]

    def reader_login(self, store_id: UUID) -> tuple[str, Secret]:
        return "t_reader_r", self.passwords.setdefault(store_id, Secret(f"pw-{store_id.hex}"))


@dataclass
class World:
    """One installation with a Grafana."""

    database: Database
    tenants: Tenants
    credentials: Credentials
    stores: FakeStores
    grafana: GrafanaWorkspace
    workspaces: Workspaces
    history: FileHistory
    queue: JobQueue
    members: Members
    people: People
    team: GrafanaWorkspace
    moves: Moves
    shown: dict[int, list[Publication]] = field(default_factory=dict)
    eye: Grafana | None = None
    """Looks and meddles as people do, past whatever stands between."""

    def tenant(self, name: str = "") -> Place:
        """Make a tenant under a name that no earlier run has left in a Grafana."""
        made, _ = self.tenants.create(SYSTEM, name or f"t{uuid4().hex[:10]}")
        return Place(made.serial, made.name, made.slug)

    def publication(self, place: Place, title: str = "Timing: p", ident: UUID | None = None) -> Publication:
        store = self.stores.of_tenant(place.tenant)[0]
        return publication(title, ident, store.id)

    def delete(self, place: Place) -> None:
        self.tenants.delete(SYSTEM, place.tenant, confirm=place.name)
        self.workspaces.remove_tenant(place.tenant)

    def ask(self, request: Any, *accept: int, organisation: int = 0) -> Any:
        return (self.eye or self.grafana.grafana).ask(request, *accept, organisation=organisation).body

    def organisation(self) -> int:
        """Return the number of the organisation that tenants of tier `team` share."""
        return self.workspaces.shared_organisation()

    def close(self) -> None:
        self.grafana.close()
        self.history.close()


@dataclass
class FakeLinks:
    """The gateway's table of who sees whose rows."""

    seen: dict[str, set[int]] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)

    def subjects(self, tenant: int) -> frozenset[str]:
        return frozenset(subject for subject, tenants in self.seen.items() if tenant in tenants)

    def link(self, tenant: int, subject: str, *, member: str, login: str = "") -> None:
        self.seen.setdefault(subject, set()).add(tenant)
        self.logins[subject] = login or member

    def unlink(self, tenant: int, subject: str) -> None:
        self.seen.get(subject, set()).discard(tenant)


def gateway(address: str = "http://127.0.0.1:8051", secret: str = "what only Grafana knows") -> QueryGateway:
    """Stand for a query gateway that nobody has started."""
    return QueryGateway(address, "X-Belvedere-Gateway", Secret(secret), carried, uncarried, FakeLinks())


def publication(title: str = "Timing: p", ident: UUID | None = None, store_id: UUID | None = None) -> Publication:
    """Make a dashboard of one text panel and one query."""
    ident, store_id = ident or uuid4(), store_id or uuid4()
    model = Model(
        "generic", "generic", title, "", guess=True, database="d", schema="public", table="p", fields={}, rows=()
    )
    source = {"type": "grafana-postgresql-datasource", "uid": str(store_id)}
    document = {
        "id": None, "uid": f"b{ident.hex}", "title": f"{title} · d.{ident.hex[:6]}", "tags": ["belvedere"],
        "schemaVersion": 39, "version": 0, "panels": [
            {"id": 1, "type": "table", "title": "All", "gridPos": {"h": 8, "w": 24, "x": 0, "y": 0},
             "datasource": source, "targets": [{"refId": "A", "datasource": source, "rawSql": "SELECT 1"}]},
        ],
    }
    return Publication(ident, store_id, model, document)


def make(
    database: Database, folder: Path, access: Access, *, transport: httpx2.BaseTransport | None = None,
    stores: FakeStores | None = None, options: Options | None = None, shared: Shared | None = None,
    tier: Tier = Tier.ORG,
) -> World:
    """Wire an installation to a Grafana."""
    history = FileHistory(folder / f"history-{uuid4().hex[:6]}")
    queue = JobQueue(database, REACTIONS)
    tenants = Tenants(database=database, history=history, queue=queue)
    vault = Vault.of(Settings(home=str(folder)))
    credentials = Credentials(database=database, history=history, queue=queue, vault=vault)
    members = Members(database=database, history=history, queue=queue)
    stores = stores or FakeStores()
    shown: dict[int, list[Publication]] = {}
    more = {} if transport is None else {"transport": transport, "pause": lambda _s: None}
    shared = shared or Shared(SHARED)
    grafana = GrafanaWorkspace(
        access=access, database=database, credentials=credentials, stores=stores, options=options,
        publications=lambda serial: shown.get(serial, []), members=members.of_tenant, **more,
    )
    team = grafana.sharing(shared)
    own = OwnGrafanas(
        database=database, credentials=credentials, base=Access("", timeout_s=20.0), stores=stores, options=options,
        publications=lambda serial: shown.get(serial, []), members=members.of_tenant, **more,
    )
    workspaces = Workspaces(
        database=database, history=history, queue=queue, tenants=tenants, workspace=ViewerWorkspace(database=database),
        grafana=grafana, team=team, own=own.of, tier=tier,
    )
    moves = Moves(
        database=database, history=history, queue=queue, tenants=tenants, rooms=workspaces, is_given=own.is_given
    )
    people = People(
        database=database, history=history, credentials=credentials, tenants=tenants, members=members,
        rooms=workspaces,
    )
    return World(
        database, tenants, credentials, stores, grafana, workspaces, history, queue, members, people, team, moves, shown
    )
