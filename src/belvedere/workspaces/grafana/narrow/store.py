"""What is written down about looks: which aspects were applied completely, and how many looks at everything are due."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from belvedere.kernel.db import Connection, one, rows
from belvedere.workspaces.grafana.model import Seat


@dataclass(frozen=True, slots=True)
class Applied:
    """The digest of each aspect that was applied completely; `asked` is the number of the newest look asked for."""

    digests: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0
    whole_due: bool = True


def applied(connection: Connection, seat: Seat) -> Applied:
    """Return what was applied; of a place that is not there yet everything is due."""
    row = one(
        connection, "SELECT whole_asked, whole_done FROM grafana_workspace WHERE tenant_id = %s AND tier = %s", [*seat]
    )
    if row is None:
        return Applied()
    found = rows(connection, "SELECT aspect, digest FROM grafana_applied WHERE tenant_id = %s AND tier = %s", [*seat])
    asked = int(row["whole_asked"])
    return Applied({one["aspect"]: one["digest"] for one in found}, asked, asked > int(row["whole_done"]))


def is_whole_due(connection: Connection, seat: Seat) -> bool:
    """Tell whether a look at everything was asked for and has not ended well."""
    row = one(
        connection,
        "SELECT whole_asked > whole_done AS due FROM grafana_workspace WHERE tenant_id = %s AND tier = %s", [*seat],
    )
    return row is None or bool(row["due"])


def ask_whole(connection: Connection, tenant: int) -> None:
    """Make the tenant's next look one at everything, in whatever tier it is then."""
    connection.execute("UPDATE grafana_workspace SET whole_asked = whole_asked + 1 WHERE tenant_id = %s", [tenant])


def did_whole(connection: Connection, seat: Seat, asked: int) -> None:
    """Write down that all looks at everything up to that number are done."""
    connection.execute(
        "UPDATE grafana_workspace SET whole_done = %s WHERE tenant_id = %s AND tier = %s AND whole_done < %s",
        [asked, *seat, asked],
    )


def keep(connection: Connection, seat: Seat, digests: Mapping[str, str]) -> None:
    """Write down that these aspects stand as they should."""
    connection.execute(
        "INSERT INTO grafana_applied AS g (tenant_id, tier, aspect, digest) "
        "SELECT w.tenant_id, w.tier, a.aspect, a.digest FROM grafana_workspace w, "
        "unnest(%(aspects)s::text[], %(digests)s::text[]) AS a (aspect, digest) "
        "WHERE w.tenant_id = %(tenant)s AND w.tier = %(tier)s "
        "ON CONFLICT (tenant_id, tier, aspect) DO UPDATE SET digest = excluded.digest "
        "WHERE g.digest <> excluded.digest",
        {"tenant": seat.tenant, "tier": seat.tier, "aspects": list(digests), "digests": list(digests.values())},
    )


def forget(connection: Connection, seat: Seat, *aspects: str) -> None:
    """Forget that aspects stand as they should, before anything of them is written; without any, forget all."""
    if aspects:
        connection.execute(
            "DELETE FROM grafana_applied WHERE tenant_id = %s AND tier = %s AND aspect = ANY(%s)",
            [*seat, list(aspects)],
        )
    else:
        connection.execute("DELETE FROM grafana_applied WHERE tenant_id = %s AND tier = %s", [*seat])


def forget_elsewhere(connection: Connection, seat: Seat, url: str, organisation: int) -> None:
    """Forget what was applied in any organisation but this one."""
    connection.execute(
        "DELETE FROM grafana_applied a USING grafana_workspace w WHERE a.tenant_id = w.tenant_id AND a.tier = w.tier "
        "AND w.tenant_id = %s AND w.tier = %s AND (w.url, w.organisation) IS DISTINCT FROM (%s, %s)",
        [*seat, url, organisation],
    )
