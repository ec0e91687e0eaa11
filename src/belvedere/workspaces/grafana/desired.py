"""What should be in Grafana for one tenant, read from our own data. Calls no Grafana.

What is not here: what is there (`observe.py`), and what dashboards show (`dashboards/`, by `Publication`).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol
from uuid import UUID

from belvedere.credentials.service import Credentials
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.stores.model import Store, StoreKind, StoreState
from belvedere.workspaces.grafana import store
from belvedere.workspaces.grafana.apply import Logins, key_of
from belvedere.workspaces.grafana.document import POSTGRES, digest, fitted
from belvedere.workspaces.grafana.model import (
    CAPTURE,
    Desired,
    InfluxOptions,
    Kind,
    Record,
    Records,
    Theirs,
    WantedAccount,
    WantedBoard,
    WantedSource,
    WantedTeam,
    folder_uid,
    mark_of,
    organisation_name,
    shared_mark_of,
    source_uid,
    team_mark_of,
)
from belvedere.workspaces.grafana.passes import Mode
from belvedere.workspaces.grafana.shared.model import Shared
from belvedere.workspaces.port import Place, Publication
from belvedere.workspaces.tiers import Tier

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Publications = Callable[[int], Sequence[Publication]]
"""The dashboards that a tenant should have, by its serial number."""


class Stores(Logins, Protocol):
    """As much of the stores as this room needs."""

    def of_tenant(self, serial: int) -> list[Store]:
        """Return a tenant's stores."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the installation's settings say about tenants' places.

    `organisation` and `user` are patterns with `{id}` and `{name}`; a `user` without either names an account that
    somebody else made; an empty one means none; with `user_stays` it outlives the tenant.
    `store_address` is how Grafana reaches the tenants' PostgreSQL, as `host` or `host:port`; empty: as the tenants
    do. `sslmode` empty: none on loopback, else `require`. `capture` is how pictures of dashboards are taken.
    `influx` is how Grafana asks the InfluxDB that holds measured values, where there is one.
    """

    organisation: str = "Tenant {id} - {name}"
    user: str = "user_{name}"
    user_stays: bool = False
    role: str = "Viewer"
    store_address: str = ""
    sslmode: str = ""
    capture: Mode = Mode.TOKEN
    influx: InfluxOptions | None = None


class Wishes:
    """Puts together what should be there."""

    def __init__(
        self, *, database: Database, credentials: Credentials, stores: Stores, options: Options,
        publications: Publications | None = None, tier: Tier = Tier.ORG, shared: Shared | None = None,
        users: bool = True,
    ) -> None:
        """Take what it needs; without `publications` dashboards are written when they are published, and no plan.

        `shared` counts for tier `team`; `users` tells whether users can be made there.
        """
        self._database = database
        self._credentials = credentials
        self._stores = stores
        self._options = options
        self._publications = publications
        self._tier = tier
        self._shared = (shared or Shared()) if tier is Tier.TEAM else None
        self._gateway = self._shared.gateway if self._shared else None
        self._users = users

    def of(
        self, place: Place, records: Records, *, plugin: str = POSTGRES, boards: bool = True
    ) -> Desired:
        """Return all that should be there for a tenant, with or without its dashboards."""
        sources = self._sources(place, records)
        with self._database.transaction() as connection:
            installation = store.installation(connection)
            stale = tuple(
                key_of(one.key) for one in sources
                if self._credentials.would_provide(connection, place.tenant, key_of(one.key), Secret(one.uid))
            )
        published = self._publications(place.tenant) if boards and self._publications is not None else ()
        folder = records.get((Kind.FOLDER, "main"))
        desired = Desired(
            subject=place.name, organisation=organisation_name(self._options.organisation, place.tenant, place.name),
            mark=mark_of(installation, place.tenant), owns=self._tier is Tier.ORG, users=self._users,
            folder_uid=folder.uid if folder and folder.uid else folder_uid(installation, place.tenant),
            folder_title=place.name, sources=sources,
            boards=tuple(self.board(one, sources, records, plugin) for one in published),
            account=self._account(place) if self._users else None, stale_keys=stale,
        )
        if self._shared is None:
            return desired
        return replace(
            desired, organisation=self._shared.name or f"number {self._shared.number}",
            mark=shared_mark_of(installation), shared=True, number=self._shared.number,
            team=WantedTeam(place.name, team_mark_of(installation, place.tenant)),
            capture=f"{CAPTURE}-{installation.hex[:8]}-{place.tenant}", linked=self._gateway is not None,
        )

    def board(
        self, publication: Publication, sources: Iterable[WantedSource], records: Records, plugin: str
    ) -> WantedBoard:
        """Return one dashboard, fitted to the tenant's data sources. What was taken over keeps its uid."""
        uids = {str(one.store_id): one.uid for one in sources}
        document = fitted(self._written(publication.document), uids, plugin)
        record = records.get((Kind.BOARD, str(publication.dashboard_id)))
        uid = record.uid if record and record.uid else f"b{publication.dashboard_id.hex}"
        document["uid"] = uid
        document.setdefault("title", publication.model.title)
        return WantedBoard(publication.dashboard_id, uid, str(document["title"]), document, digest(document))

    def theirs(
        self, theirs: Theirs, sources: Iterable[WantedSource], record: Record | None, plugin: str
    ) -> WantedBoard:
        """Return a person's dashboard, brought from another place, as it should stand in this one."""
        uids = {str(one.store_id): one.uid for one in sources}
        document = fitted(self._written(theirs.document), uids, plugin)
        document["uid"] = uid = record.uid if record and record.uid else f"b{theirs.dashboard_id.hex}"
        return WantedBoard(theirs.dashboard_id, uid, str(document.get("title", "")), document, digest(document))

    def _written(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        return document if self._gateway is None else self._gateway.carry(document)

    def neutral(self, document: Mapping[str, Any], sources: Iterable[WantedSource]) -> dict[str, Any]:
        """Write a dashboard as it stands here so that another place can take it: the way back of `board`."""
        plain = document if self._gateway is None else self._gateway.uncarry(document)
        return fitted(plain, {one.uid: str(one.store_id) for one in sources}, POSTGRES)

    def _sources(self, place: Place, records: Records) -> tuple[WantedSource, ...]:
        made = []
        for one in self._stores.of_tenant(place.tenant):
            if one.state is not StoreState.READY:
                continue
            if one.kind is StoreKind.INFLUXDB:
                made += self._influx(place, one, records)
                continue
            record = records.get((Kind.SOURCE, one.kind.value))
            uid = record.uid if record and record.uid else source_uid(one.id)
            if self._gateway is not None:
                gate = self._gateway
                made.append(WantedSource(
                    key=one.kind.value, store_id=one.id, uid=uid, name=one.database, url=gate.address,
                    database=one.database, user="", sslmode="", seal=_seal(one.id, gate.secret), through=gate.header,
                ))
                continue
            user, password = self._stores.reader_login(one.id)
            made.append(WantedSource(
                key=one.kind.value, store_id=one.id, uid=uid, name=one.database, url=self._address(one),
                database=one.database, user=user, sslmode=self._sslmode(one), seal=_seal(one.id, password),
            ))
        return tuple(made)

    def _influx(self, place: Place, one: Store, records: Records) -> list[WantedSource]:
        """Return the data source of the tenant's bucket; none while its InfluxDB is not set up here."""
        asked, gate = self._options.influx, self._gateway
        if asked is None:
            return []
        record = records.get((Kind.SOURCE, one.kind.value))
        secret = gate.secret if gate is not None else self._stores.reader_login(one.id)[1]
        return [WantedSource(
            key=one.kind.value, store_id=one.id, uid=record.uid if record and record.uid else source_uid(one.id),
            name=f"influxdb_{place.name}", url=gate.address if gate is not None else asked.url, database=one.database,
            user="", sslmode="", seal=_seal(one.id, secret), through=gate.header if gate is not None else "",
            influx=asked,
        )]

    def _address(self, one: Store) -> str:
        given = self._options.store_address
        host = given or one.host
        if given and ":" in given.rpartition("]")[2]:
            return given
        return f"[{host}]:{one.port}" if ":" in host and not host.startswith("[") else f"{host}:{one.port}"

    def _sslmode(self, one: Store) -> str:
        host = self._options.store_address or one.host
        return self._options.sslmode or ("disable" if host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK
                                         else "require")

    def _account(self, place: Place) -> WantedAccount | None:
        pattern = self._options.user.strip()
        if not pattern:
            return None
        login = " ".join(pattern.replace("{id}", str(place.tenant)).replace("{name}", place.name).split())
        return WantedAccount(
            login, f"{place.name} Default", self._options.role, existing="{" not in pattern,
            stays=self._options.user_stays,
        )


def _seal(store_id: UUID, password: Secret) -> str:
    """Tell two passwords of one store apart. They are random, 192 bits: nothing leads back to them."""
    return hashlib.sha256(f"{store_id}\0{password.reveal()}".encode()).hexdigest()
