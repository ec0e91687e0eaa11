"""What is written down about objects that were taken over."""

from collections.abc import Iterable

from belvedere.kernel.db import Connection, one, rows
from belvedere.workspaces.adoption.model import Find, Shape, Taken, Thing


def tenant_in(connection: Connection, url: str, organisation: int) -> int:
    """Return the tenant whose own organisation this is by our records, or 0."""
    row = one(
        connection,
        "SELECT tenant_id FROM grafana_workspace WHERE url = %s AND organisation = %s AND tier = 'org'",
        [url, organisation],
    )
    return int(row["tenant_id"]) if row else 0


def owner_of(connection: Connection, url: str, organisation: int, thing: Thing) -> int:
    """Return the tenant for which an object was taken over, or 0."""
    row = one(
        connection,
        "SELECT tenant_id FROM grafana_adopted WHERE url = %s AND organisation = %s AND kind = %s AND ident = %s",
        [url, organisation, thing.kind, thing.ident],
    )
    return int(row["tenant_id"]) if row else 0


def has_place(connection: Connection, tenant: int) -> bool:
    """Tell whether a tenant has, or has asked for, a place in a Grafana already."""
    return one(connection, "SELECT FROM grafana_workspace WHERE tenant_id = %s LIMIT 1", [tenant]) is not None


def keep(connection: Connection, tenant: int, url: str, find: Find) -> None:
    """Write down all objects of a find as a tenant's. Twice does no harm."""
    for thing in find.things:
        connection.execute(
            "INSERT INTO grafana_adopted (tenant_id, url, organisation, kind, ident, title, shape) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (url, organisation, kind, ident) DO UPDATE "
            "SET title = excluded.title WHERE grafana_adopted.tenant_id = excluded.tenant_id",
            [tenant, url, find.organisation, thing.kind, thing.ident, thing.title, find.shape],
        )


def is_whole(connection: Connection, tenant: int, url: str, find: Find) -> bool:
    """Tell whether all data sources of a find are written down for a tenant."""
    found = rows(
        connection,
        "SELECT kind, ident FROM grafana_adopted WHERE tenant_id = %s AND url = %s AND organisation = %s",
        [tenant, url, find.organisation],
    )
    there = {(row["kind"], row["ident"]) for row in found}
    return all((thing.kind, thing.ident) in there for thing in find.things if thing.kind == "source")


def organisation_name(connection: Connection, tenant: int, url: str) -> str:
    """Return the name that a tenant's organisation keeps since it was taken over; empty when it was not."""
    row = one(
        connection,
        "SELECT title FROM grafana_adopted WHERE tenant_id = %s AND url = %s AND kind = 'organisation' LIMIT 1",
        [tenant, url],
    )
    return str(row["title"]) if row else ""


def taken(connection: Connection, limit: int) -> list[Taken]:
    """Return what was taken over, the newest first, for at most so many tenants."""
    found = rows(
        connection,
        "SELECT tenant_id, array_agg(DISTINCT shape) AS shapes, max(adopted_at) AS at, ("
        "SELECT jsonb_object_agg(kind, n) FROM (SELECT kind, count(*) AS n FROM grafana_adopted each "
        "WHERE each.tenant_id = a.tenant_id GROUP BY kind) counted) AS counts "
        "FROM grafana_adopted a GROUP BY tenant_id ORDER BY at DESC, tenant_id LIMIT %s",
        [limit],
    )
    return [
        Taken(
            int(row["tenant_id"]), tuple(Shape(one) for one in sorted(row["shapes"])),
            tuple(sorted(row["counts"].items())), row["at"],
        )
        for row in found
    ]


def count_taken(connection: Connection) -> int:
    """Count the tenants for whom something was taken over."""
    row = one(connection, "SELECT count(DISTINCT tenant_id) AS n FROM grafana_adopted")
    return int(row["n"]) if row else 0


def of_tenant(connection: Connection, tenant: int) -> list[tuple[Shape, Thing]]:
    """Return what was taken over for a tenant."""
    found: Iterable[dict[str, object]] = rows(
        connection,
        "SELECT shape, kind, ident, title FROM grafana_adopted WHERE tenant_id = %s ORDER BY kind, title, ident",
        [tenant],
    )
    return [
        (Shape(str(row["shape"])), Thing(str(row["kind"]), str(row["ident"]), str(row["title"]))) for row in found
    ]
