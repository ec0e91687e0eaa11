"""The sample tenant, whose loading may end anywhere and be run again."""

from typing import Any

from belvedere.kernel.actor import SYSTEM
from belvedere.sample.service import load
from belvedere.sample.tables import TABLES

COVERS = ("sample.load.after-tenant", "sample.write.before-commit")


def act(world: Any) -> None:
    """Load it."""
    with world.working():
        load(world.services)


def check(world: Any) -> None:
    """Every table stands, once."""
    alice = world.services.tenants.get(SYSTEM, "alice")
    found: list[str] = []
    for one in world.services.stores.list(SYSTEM, alice.serial):
        with world.services.stores.reader(one.id) as connection:
            rows = connection.execute(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p') "
                "AND relnamespace = 'public'::regnamespace"
            ).fetchall()
            found += [row["relname"] for row in rows]
    assert {table.name for table in TABLES} <= set(found)
    assert [one.name for one in world.services.tenants.list(SYSTEM).items] == ["alice"]
