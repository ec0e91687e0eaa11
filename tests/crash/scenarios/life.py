"""The life of an installation: first start, tenants, credentials, tables, dashboards, new keys, a tenant deleted."""

from contextlib import suppress
from typing import Any

import psycopg

from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.errors import Conflict, NotFound
from belvedere.kernel.secret import Secret

COVERS = (
    "kernel.migrate.before-commit", "node.database.after-role", "node.database.after-database",
    "stores.prepare.template-made", "stores.prepare.template-closed",
    "identity.first.before-commit", "identity.create.before-commit", "identity.token.before-commit",
    "credentials.first-key.before-link", "credentials.put.before-commit", "credentials.rotate.batch",
    "credentials.rotate.before-rename",
    "tenants.create.before-commit", "tenants.create.after-commit", "tenants.delete.before-commit",
    "tenants.purge.before-commit",
    "stores.step.before", "stores.step.applied", "stores.apply.before", "stores.apply.after",
    "stores.login.before-commit", "stores.database.made", "stores.database.before-open", "stores.schema.before-commit",
    "stores.share.before-commit", "stores.remember.before-commit", "stores.credentials.before-commit",
    "stores.ready.before-commit", "stores.watch.before-commit", "stores.watch.after-commit",
    "stores.remove.locked-out", "stores.remove.before-drop-database", "stores.remove.before-drop-login",
    "stores.remove.before-forget",
    "workspaces.apply.after-step", "workspaces.viewer.before-commit", "workspaces.remove-tenant.after-commit",
    "dashboards.part.before-commit", "dashboards.reconcile.before-publish", "dashboards.publish.before-commit",
    "dashboards.publish.after-commit", "dashboards.override.before-commit",
    "previews.forget.before-commit",
    "gateway.link.before-commit", "gateway.unlink.before-commit",
)


def act(world: Any) -> None:
    """Bring about the end state from wherever a crash left it."""
    services = world.services
    services.accounts.first(Secret("a long enough password"))
    if "bob" not in {one.name for one in services.accounts.list(SYSTEM)}:
        services.accounts.create(SYSTEM, "bob", Role.OPERATOR)
    if "ci" not in {one.name for one in services.tokens.list(SYSTEM)}:
        services.tokens.create(SYSTEM, name="ci", role=Role.VIEWER)
    with world.working():
        alice = ensure(world, "alice")
        world.once("charlie", lambda: ensure(world, "charlie"))
        if services.credentials.read(alice.serial, "SLACK_CHANNEL_ID") != Secret("C0123456789"):
            services.credentials.put(SYSTEM, alice.serial, "SLACK_CHANNEL_ID", Secret("C0123456789"))
        for table in ("runs", "short_lived"):
            world.once(f"table-{table}", lambda table=table: write(world, alice, table))
        kept = world.wait(lambda: dashboard(world, alice, "runs"), "a dashboard of the table")
        world.once("drop", lambda: drop(world, alice, "short_lived"))
        world.wait(lambda: dashboard(world, alice, "short_lived") is None, "the dashboard of the dropped table is gone")
        world.once("override", lambda: services.dashboards.override(SYSTEM, kept.id, "generic", "a test asks"))
        for subject in ("user:12", "user:13"):
            services.identities.link(SYSTEM, subject, "alice", member="alice")
        services.identities.unlink(SYSTEM, "user:13")
        world.once("rotate", lambda: services.credentials.rotate(SYSTEM))
        farewell(world)
        world.wait(lambda: quiet(world), "the queue is empty")


def check(world: Any) -> None:
    """Everything once, nothing left, nothing open."""
    services = world.services
    assert sorted(one.name for one in services.accounts.list(SYSTEM)) == ["admin", "bob"]
    assert [one.name for one in services.tenants.list(SYSTEM).items] == ["alice"]
    alice = services.tenants.get(SYSTEM, "alice")
    assert str(alice.state) == "ready"
    assert not services.stores.plan(SYSTEM, alice.serial).steps
    assert len(services.stores.list(SYSTEM, alice.serial)) == 3
    assert services.credentials.read(alice.serial, "SLACK_CHANNEL_ID") == Secret("C0123456789")
    assert [one.table for one in services.dashboards.list(SYSTEM, tenant=alice.serial).items] == ["runs"]
    with psycopg.connect(connect(world, alice)) as connection:
        row = connection.execute("SELECT count(*) FROM runs").fetchone()
        assert row is not None and row[0] == 3
    with services.database.transaction() as connection:
        left = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'charlie-%'").fetchall()
        roles = connection.execute("SELECT count(*) AS n FROM pg_roles WHERE rolname LIKE 't\\_%'").fetchone()
    assert left == []
    assert roles is not None and roles["n"] == 2
    seeing = services.identities.of_tenant(SYSTEM, services.tenants.get(SYSTEM, "alice").serial)
    assert [one.subject for one in seeing] == ["user:12"]
    assert services.history.verify().ok
    unended = [one.verb for one in services.history.search(SYSTEM, limit=500).items if str(one.result) == "running"]
    assert unended == []


def ensure(world: Any, name: str) -> Any:
    """Make a tenant unless it stands, and wait until it is ready."""
    tenants = world.services.tenants
    with suppress(Conflict):
        tenants.create(SYSTEM, name)

    def ready() -> Any:
        found = tenants.get(SYSTEM, name)
        return found if str(found.state) == "ready" else None

    return world.wait(ready, f"{name} is ready")


def farewell(world: Any) -> None:
    """Delete charlie, and wait until nothing of it is left."""
    tenants = world.services.tenants

    def gone() -> bool:
        try:
            tenants.get(SYSTEM, "charlie")
        except NotFound:
            return True
        return False

    if not gone() and str(tenants.get(SYSTEM, "charlie").state) != "deleting":
        tenants.delete(SYSTEM, "charlie", confirm="charlie")
    world.wait(gone, "charlie is gone")


def connect(world: Any, tenant: Any) -> str:
    """Return how alice's flow reaches her QoR database, as her credentials tell it."""
    read = world.services.credentials.read
    names = {"host": "DB_HOST", "port": "DB_PORT", "user": "DB_USER", "password": "DB_PASS", "dbname": "DB_NAME_QOR"}
    return psycopg.conninfo.make_conninfo(
        "", **{word: read(tenant.serial, key).reveal() for word, key in names.items()}
    )


def write(world: Any, tenant: Any, table: str) -> None:
    """Make a table and fill it in one transaction, unless a crash came after."""
    with psycopg.connect(connect(world, tenant)) as connection:
        row = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()
        if row and row[0] is None:
            columns = "run_date timestamptz, design text, wns_ns numeric, area numeric"
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.execute(
                f"INSERT INTO {table} SELECT now() - n * interval '1 day', 'gcd', -0.1 * n, 500 + n "
                "FROM generate_series(1, 3) n"
            )


def drop(world: Any, tenant: Any, table: str) -> None:
    """Drop a table once its dashboard has been seen."""
    world.wait(lambda: dashboard(world, tenant, table), "a dashboard of the second table")
    with psycopg.connect(connect(world, tenant)) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def dashboard(world: Any, tenant: Any, table: str) -> Any:
    """Return the dashboard of a table, or None."""
    found = world.services.dashboards.list(SYSTEM, tenant=tenant.serial).items
    return next((one for one in found if one.table == table), None)


def quiet(world: Any) -> bool:
    """Tell whether no job works, and none waits that is due."""
    with world.services.database.transaction() as connection:
        row = connection.execute(
            "SELECT count(*) AS n FROM procrastinate_jobs WHERE status = 'doing' "
            "OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at < now()))"
        ).fetchone()
    return row is not None and row["n"] == 0
