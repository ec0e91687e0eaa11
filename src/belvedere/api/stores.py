"""Stores: where tenants' data lies, how to connect, which tables there are."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from belvedere.api.model import Answer, Call, NoQuery, Route
from belvedere.api.parts import uuid_of
from belvedere.stores.model import Relation, Store


class StoreView(msgspec.Struct, frozen=True):
    """A store. The login and the password are among the tenant's credentials."""

    id: UUID
    tenant: int
    kind: str
    database: str
    host: str
    port: int
    state: str


class ColumnView(msgspec.Struct, frozen=True):
    """A column of a relation."""

    name: str
    type: str


class RelationView(msgspec.Struct, frozen=True):
    """A table, view or other relation; `rows_estimate` is the server's own and may be unknown (-1)."""

    schema: str
    name: str
    kind: str
    state: str
    rows_estimate: int | None
    size_bytes: int | None
    columns: list[ColumnView]
    first_seen_at: datetime | None
    stable_at: datetime | None


def view(store: Store) -> StoreView:
    """Render a store."""
    return StoreView(store.id, store.tenant_id, store.kind, store.database, store.host, store.port, store.state)


def view_relation(relation: Relation) -> RelationView:
    """Render a relation."""
    return RelationView(
        relation.schema, relation.name, relation.kind, relation.state, relation.rows_estimate, relation.size_bytes,
        [ColumnView(column.name, column.type) for column in relation.columns], relation.first_seen_at,
        relation.stable_at,
    )


def listed(call: Call[NoQuery, None]) -> Answer:
    """List a tenant's stores."""
    found = call.services.stores.list(call.actor, call.serial())
    return Answer([view(store) for store in found], total=len(found))


def one(call: Call[NoQuery, None]) -> Answer:
    """Return one store."""
    return Answer(view(call.services.stores.get(call.actor, uuid_of(call.path["store"]))))


def relations(call: Call[NoQuery, None]) -> Answer:
    """List the tables and views of a store."""
    found = call.services.stores.relations(call.actor, uuid_of(call.path["store"]))
    return Answer([view_relation(relation) for relation in found], total=len(found))


ROUTES: Final = (
    Route("GET", "/tenants/{tenant}/stores", "stores.list", "A tenant's stores", listed, list[StoreView],
          refusals=(404,)),
    Route("GET", "/stores/{store}", "stores.get", "One store", one, StoreView, refusals=(404,)),
    Route("GET", "/stores/{store}/relations", "stores.relations", "Tables and views of a store", relations,
          list[RelationView], refusals=(404,)),
)
