"""Making, repairing and removing a tenant's logins and databases."""

import re
from typing import Any

import psycopg
import pytest
from psycopg import sql

from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import NotFound, Stuck
from belvedere.kernel.plan import render
from belvedere.kernel.secret import Secret
from belvedere.stores.lockdown.postgres import prepare_server
from belvedere.stores.model import LoginKind, Server, StoreKind, StoreState
from belvedere.stores.postgres import open_facts
from belvedere.stores.service import Stores
from belvedere.tenants.model import StepState, TenantState


def test_a_tenant_gets_three_databases_two_opaque_logins_and_credentials(world: Any) -> None:
    alice = world.tenant("alice")
    databases, roles = world.names()
    assert databases == {"alice-timing_report", "alice-QOR", "alice-drc"}
    assert len(roles) == 2
    assert all(re.fullmatch(r"t_[a-z2-7]{12}_[wr]", role) for role in roles)
    assert [one.state for one in world.stores.list(world.operator, alice.serial)] == [StoreState.READY] * 3
    kept = {one.key_name: one.source for one in world.credentials.list(world.operator, alice.serial)}
    assert set(kept) == {
        "DB_HOST",
        "DB_PORT",
        "DB_USER",
        "DB_PASS",
        "DB_NAME_TIMING_REPORT",
        "DB_NAME_QOR",
        "DB_NAME_DRC",
        "GRAFANA_URL",
    }
    assert set(kept.values()) == {"belvedere"}
    steps = world.tenants.steps(world.operator, "alice")
    assert {step.state for step in steps if step.room == "stores"} == {StepState.DONE}
    assert len([step for step in steps if step.room == "stores"]) == 15


def test_no_tenant_is_ready_before_its_stores(world: Any) -> None:
    with world.database.transaction() as connection:
        connection.execute("ALTER TABLE store ADD CONSTRAINT not_yet CHECK (state <> 'ready')")
    with pytest.raises(psycopg.errors.CheckViolation):
        world.tenant("alice")
    steps = [step for step in world.tenants.steps(world.operator, "alice") if step.room == "stores"]
    assert steps[-1].state is StepState.WAITING
    with world.database.transaction() as connection:
        connection.execute("ALTER TABLE store DROP CONSTRAINT not_yet")
    alice = world.tenants.get(world.operator, "alice")
    world.stores.provision(alice.serial)
    assert [one.state for one in world.stores.list(world.operator, alice.serial)] == [StoreState.READY] * 3
    steps = world.tenants.steps(world.operator, "alice")
    assert {step.state for step in steps if step.room == "stores"} == {StepState.DONE}


def test_planning_again_after_applying_is_empty_and_running_again_changes_nothing(world: Any) -> None:
    tenant, _ = world.tenants.create(world.operator, "alice")
    before = world.stores.plan(world.operator, tenant.serial)
    assert len(before.steps) == 15
    assert "+ Make the database alice-QOR" in render(before)
    world.stores.provision(tenant.serial)
    assert render(world.stores.plan(world.operator, tenant.serial)) == "alice: nothing to do."
    with world.superuser() as connection:
        query = "SELECT datname, xmin FROM pg_database UNION ALL SELECT rolname, xmin FROM pg_authid ORDER BY 1"
        was = connection.execute(query).fetchall()
        world.stores.provision(tenant.serial)
        assert connection.execute(query).fetchall() == was
    assert [version.version for version in world.credentials.versions(world.operator, tenant.serial, "DB_PASS")] == [1]


def test_the_writer_writes_and_the_reader_reads(world: Any) -> None:
    alice = world.tenant("alice")
    with world.writer(alice) as flow:
        flow.execute("CREATE TABLE run (at timestamptz, slack numeric)")
        flow.execute("INSERT INTO run VALUES (now(), -0.996)")
        flow.execute("CREATE VIEW late AS SELECT * FROM run WHERE slack < 0")
    with world.reader(alice) as looking:
        assert looking.execute("SELECT count(*) FROM late").fetchone() == (1,)
        for refused in ("INSERT INTO run VALUES (now(), 0)", "CREATE TABLE t (a int)", "CREATE TEMP TABLE t (a int)"):
            with pytest.raises(psycopg.errors.Error):
                looking.execute(refused)


def test_drift_is_shown_and_repaired(world: Any) -> None:
    alice = world.tenant("alice")
    roles = dict(zip(
            LoginKind,
            [
                world.credentials.read(alice.serial, "DB_USER").reveal(),
                world.stores.reader_login(world.store(alice).id)[0],
            ],
            strict=True,
        ))
    with world.writer(alice) as flow:
        flow.execute("CREATE TABLE private (a int)")
        flow.execute(sql.SQL("REVOKE SELECT ON private FROM {}").format(sql.Identifier(roles[LoginKind.READER])))
    with world.superuser() as connection:
        connection.execute('GRANT CONNECT ON DATABASE "alice-drc" TO PUBLIC')
        connection.execute(
            sql.SQL("ALTER ROLE {} CONNECTION LIMIT -1 CREATEDB").format(sql.Identifier(roles[LoginKind.WRITER]))
        )
        connection.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(roles[LoginKind.READER])))
        connection.execute(
            sql.SQL("ALTER ROLE {} SET statement_timeout = 0").format(sql.Identifier(roles[LoginKind.READER]))
        )
    with world.superuser("alice-timing_report") as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    shown = render(world.stores.plan(world.operator, alice.serial))
    for said in (
        "PUBLIC may CONNECT: yes -> no",
        "most connections: -1 -> 20",
        "power: createdb -> none",
        "member of: pg_monitor -> none",
        "statement_timeout: 0 -> 3s",
        "PUBLIC may CREATE: yes -> no",
        "tables that the reader cannot read: 1 -> 0",
    ):
        assert said in shown
    try:
        world.stores.provision(alice.serial)
    except Stuck:
        # Since PostgreSQL 16 only the superuser who granted a membership can take it back.
        with world.superuser() as connection:
            connection.execute(sql.SQL("REVOKE pg_monitor FROM {}").format(sql.Identifier(roles[LoginKind.READER])))
        world.stores.provision(alice.serial)
    assert not world.stores.plan(world.operator, alice.serial)


def test_a_password_that_the_tenant_changed_is_set_again(world: Any) -> None:
    alice = world.tenant("alice")
    with world.reader(alice) as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute("ALTER ROLE CURRENT_USER PASSWORD 'mine'")
    assert "Set the password of the reader again" in render(world.stores.plan(world.operator, alice.serial))
    world.stores.provision(alice.serial)
    with world.reader(alice) as session:
        assert session.execute("SELECT 1").fetchone() == (1,)
    assert not world.stores.plan(world.operator, alice.serial)


def test_no_password_reaches_the_server_in_plain_or_stands_in_the_control_database(world: Any) -> None:
    alice = world.tenant("alice")
    password = world.credentials.read(alice.serial, "DB_PASS").reveal()
    with world.superuser() as connection:
        stored = connection.execute(r"SELECT rolpassword FROM pg_authid WHERE rolname LIKE 't\_%'").fetchall()
    assert all(row[0].startswith("SCRAM-SHA-256$") for row in stored)
    with world.database.transaction() as connection:
        rows = connection.execute("SELECT v::text AS everything FROM credential_version v").fetchall()
    assert all(password not in row["everything"] for row in rows)


def test_a_foreign_database_of_the_wanted_name_is_left_alone(world: Any) -> None:
    with world.superuser() as connection:
        connection.execute('CREATE DATABASE "alice-QOR"')
    tenant, _ = world.tenants.create(world.operator, "alice")
    with pytest.raises(Stuck, match="alice-QOR"):
        world.stores.provision(tenant.serial)
    assert world.tenants.get(world.operator, "alice").state is TenantState.NEEDS_YOU
    world.tenants.delete(world.operator, "alice", confirm="alice")
    world.stores.remove_tenant(tenant.serial)
    assert world.names() == ({"alice-QOR"}, set())


def test_deleting_leaves_nothing_even_with_open_sessions(world: Any, hands: Any) -> None:
    alice = world.tenant("alice")
    bob = world.tenant("bob")
    flow = hands(world.writer(alice))
    flow.execute("CREATE TABLE run (a int)")
    with world.stores.reader(world.store(alice).id) as session:
        session.execute("SELECT 1")
    world.tenants.delete(world.operator, "alice", confirm="alice")
    shown = render(world.stores.plan(world.operator, alice.serial))
    assert "- Drop the database alice-QOR" in shown
    world.stores.remove_tenant(alice.serial)
    world.stores.remove_tenant(alice.serial)
    world.tenants.purge(alice.serial)
    databases, roles = world.names()
    assert databases == {"bob-timing_report", "bob-QOR", "bob-drc"}
    assert len(roles) == 2
    with pytest.raises(psycopg.OperationalError):
        flow.execute("SELECT 1")
    with world.database.transaction() as connection:
        for table in ("store", "store_login", "relation", "credential", "credential_version", "tenant_step"):
            query = sql.SQL("SELECT count(*) AS n FROM {} WHERE tenant_id = {}").format(
                sql.Identifier(table), alice.serial
            )
            assert connection.execute(query).fetchone()["n"] == 0
    assert world.stores.of_tenant(bob.serial)


def test_deleting_a_half_made_tenant_works(world: Any) -> None:
    tenant, _ = world.tenants.create(world.operator, "alice")
    with world.superuser() as connection:
        connection.execute("ALTER ROLE belvedere NOCREATEDB")
        try:
            with pytest.raises(Stuck):
                world.stores.provision(tenant.serial)
        finally:
            connection.execute("ALTER ROLE belvedere CREATEDB")
    assert world.tenants.get(world.operator, "alice").state is TenantState.NEEDS_YOU
    world.tenants.delete(world.operator, "alice", confirm="alice")
    world.stores.remove_tenant(tenant.serial)
    assert world.names() == (set(), set())


def test_kept_data_stay_and_nobody_signs_in(world: Any) -> None:
    alice = world.tenant("alice")
    with world.writer(alice) as flow:
        flow.execute("CREATE TABLE run AS SELECT 1 AS a")
    info = world.stores.connection_info(world.operator, world.store(alice).id)
    password = world.credentials.read(alice.serial, "DB_PASS").reveal()
    assert "Drop the database" not in render(world.stores.removal_plan(world.operator, alice.serial, keep_data=True))
    world.tenants.delete(world.operator, "alice", confirm="alice", keep_data=True)
    world.stores.remove_tenant(alice.serial)
    assert len(world.names()[0]) == 3
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=info.host, port=info.port, dbname=info.database, user=info.writer, password=password)
    with world.superuser("alice-QOR") as connection:
        assert connection.execute("SELECT a FROM public.run").fetchone() == (1,)


def test_a_server_that_is_away_means_later_and_says_so(world: Any, unused_tcp_port: int) -> None:
    from dataclasses import replace

    from belvedere.kernel.errors import Later

    tenant, _ = world.tenants.create(world.operator, "alice")
    gone = replace(world.server, url=Secret(f"postgresql://belvedere:x@127.0.0.1:{unused_tcp_port}/postgres"))
    stores = Stores(
        database=world.database,
        history=world.history,
        queue=world.queue,
        tenants=world.tenants,
        credentials=world.credentials,
        settings=world.settings,
        server=gone,
    )
    with pytest.raises(Later):
        stores.provision(tenant.serial)
    step = world.tenants.steps(world.operator, "alice")[0]
    assert step.state is StepState.WAITING
    assert "does not answer" in step.error


@pytest.fixture
def unused_tcp_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_stranger_finds_no_store(world: Any) -> None:
    alice, charlie = world.tenant("alice"), world.tenant("charlie")
    stranger = Actor(name="charlie", role=Role.OPERATOR, tenant=charlie.serial)
    store = world.store(alice)
    for call in (
        lambda: world.stores.list(stranger, alice.serial),
        lambda: world.stores.get(stranger, store.id),
        lambda: world.stores.relations(stranger, store.id),
        lambda: world.stores.connection_info(stranger, store.id),
        lambda: world.stores.plan(stranger, alice.serial),
        lambda: world.stores.apply(stranger, alice.serial),
    ):
        with pytest.raises(NotFound):
            call()
    own = world.store(charlie, StoreKind.DRC)
    assert world.stores.get(stranger, own.id).database == "charlie-drc"
    assert world.stores.connection_info(stranger, own.id).psql.endswith("'charlie-drc'")


def test_names_that_need_quoting_work(world: Any) -> None:
    for name in ('a"b', "O'Hara 100%", "日本" * 8):
        tenant = world.tenant(name)
        with world.writer(tenant, StoreKind.TIMING_REPORT) as flow:
            flow.execute("CREATE TABLE run (a int)")
        assert not world.stores.plan(world.operator, tenant.serial)


def test_a_prepared_server_leaves_nothing_open_and_another_says_what_it_leaves(world: Any) -> None:
    assert all("catalogue" not in fact and "Temporary" not in fact for fact in world.stores.open_facts())
    with world.superuser() as connection:
        connection.execute("CREATE ROLE plain LOGIN CREATEDB CREATEROLE PASSWORD 'plain'")
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO plain").format(
                sql.Identifier(world.database.url.reveal().rpartition("/")[2])
            )
        )
    try:
        url = world.database.url.reveal().replace("belvedere:belvedere@", "plain:plain@")
        facts = open_facts(Server("default", "127.0.0.1", world.cluster.port, Secret(url)))
        assert [fact.split()[0] for fact in facts][:2] == ["The", "Temporary"]
    finally:
        with world.superuser() as connection:
            connection.execute("DROP OWNED BY plain")
            connection.execute(
                sql.SQL("REVOKE ALL ON DATABASE {} FROM plain").format(
                    sql.Identifier(world.database.url.reveal().rpartition("/")[2])
                )
            )
            connection.execute("DROP ROLE plain")


def test_without_a_superuser_everything_works_that_can(world: Any) -> None:
    with world.superuser() as connection:
        connection.execute("ALTER DATABASE belvedere_template IS_TEMPLATE false")
        connection.execute("REVOKE SET ON PARAMETER temp_file_limit, log_min_messages FROM belvedere")
        connection.execute("REVOKE pg_signal_backend FROM belvedere")
    try:
        alice = world.tenant("alice")
        with world.writer(alice) as flow:
            flow.execute("CREATE TABLE run AS SELECT 1 AS a")
            with world.reader(alice) as looking:
                assert looking.execute("SELECT a FROM run").fetchone() == (1,)
            assert not world.stores.plan(world.operator, alice.serial)
            world.tenants.delete(world.operator, "alice", confirm="alice")
            world.stores.remove_tenant(alice.serial)
        assert world.names() == (set(), set())
    finally:
        with world.superuser() as connection:
            connection.execute("ALTER DATABASE belvedere_template IS_TEMPLATE true")
            prepare_server(connection, provisioning_role="belvedere")


def test_what_the_jobs_did_stands_in_the_history_and_doing_nothing_does_not(world: Any) -> None:
    alice = world.tenant("alice")
    world.stores.provision(alice.serial)
    world.tenants.delete(world.operator, "alice", confirm="alice")
    world.stores.remove_tenant(alice.serial)
    world.tenants.purge(alice.serial)
    world.tenants.purge(alice.serial)
    found = [(one.verb, one.door, one.result) for one in reversed(world.history.search(world.operator).items)]
    assert found == [
        ("tenant.create", "test", "succeeded"),
        ("tenant.provision", "job", "succeeded"),
        ("tenant.delete", "test", "succeeded"),
        ("tenant.remove-stores", "job", "succeeded"),
        ("tenant.purge", "job", "succeeded"),
    ]
