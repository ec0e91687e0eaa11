"""Whose sessions take so many locks that nobody else gets one. Pure.

PostgreSQL keeps the locks of all databases in one table of fixed size and has no limit per login: one transaction that
makes a hundred thousand tables leaves no room for anybody, the control database included. So the watcher counts, and
ends sessions before that. What is not here: counting and ending (`look/postgres.py`), when (`watch.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

TENANTS_SHARE: Final = 0.5
"""How much of the server's lock table the sessions of all tenants together may hold."""


@dataclass(frozen=True, slots=True)
class Held:
    """How many places of the lock table one session in a tenant's database holds."""

    pid: int
    dbid: int
    locks: int


def to_end(held: Iterable[Held], capacity: int, tenants: Mapping[int, int]) -> list[Held]:
    """Return the sessions to end so that the others have room, those of the greediest tenant first.

    Args:
        held: the sessions in tenants' databases.
        capacity: how many locks the server has room for.
        tenants: the tenant's serial number by its databases' oids.
    """
    by_tenant: dict[int, list[Held]] = defaultdict(list)
    for one in held:
        by_tenant[tenants[one.dbid]].append(one)
    totals = {tenant: sum(one.locks for one in sessions) for tenant, sessions in by_tenant.items()}
    left = sum(totals.values())
    ended: list[Held] = []
    for tenant in sorted(totals, key=lambda tenant: -totals[tenant]):
        for one in sorted(by_tenant[tenant], key=lambda one: -one.locks):
            if left <= capacity * TENANTS_SHARE:
                return ended
            ended.append(one)
            left -= one.locks
    return ended
