"""Tenant B against tenant A: with its writer, its reader, and objects that others might evaluate for it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from belvedere.kernel.errors import BelvedereError
from belvedere.stores.watch import ServerWatch
from hostile import NAMES_OTHERS, REACHES_FURTHER


@pytest.fixture(scope="module")
def tenants_pair(shared_world: Any) -> tuple[Any, Any]:
    return shared_world.tenant("alice"), shared_world.tenant("bob")


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


@pytest.fixture
def pair(world: Any, tenants_pair: tuple[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Alice owns, bob is hostile. What bob leaves in his database goes after each test."""
    yield tenants_pair
    _, bob = tenants_pair
    roles = [world.credentials.read(bob.serial, "DB_USER").reveal(), world.stores.reader_login(world.store(bob).id)[0]]
    with world.superuser(world.store(bob).database) as connection:
        connection.execute("DROP SEQUENCE IF EXISTS public.canary")
        for role in roles:
            connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(role)))
            for setting in ("search_path", "standard_conforming_strings"):
                connection.execute(
                    sql.SQL("ALTER ROLE {} RESET {}").format(sql.Identifier(role), sql.Identifier(setting))
                )
    world.stores.provision(bob.serial)


@pytest.mark.parametrize("login", ["writer", "reader"])
def test_bob_learns_and_reaches_nothing_beyond_his_database(world: Any, pair: tuple[Any, Any], login: str) -> None:
    _, bob = pair
    allowed = []
    with getattr(world, login)(bob) as session:
        session.execute("SET default_transaction_read_only = off")
        own = sql.Identifier(world.store(bob).database).as_string(session)
        for probe in NAMES_OTHERS + REACHES_FURTHER:
            try:
                session.execute(probe.replace("CURRENT_DATABASE_NAME", own))
            except psycopg.Error:
                continue
            allowed.append(probe)
    assert allowed == []


def test_bob_sees_his_own_roles_and_the_servers_own_but_not_alices(world: Any, pair: tuple[Any, Any]) -> None:
    alice, bob = pair
    hidden = {
        world.credentials.read(alice.serial, "DB_USER").reveal(),
        world.stores.reader_login(world.store(alice).id)[0],
    }
    with world.reader(bob) as session:
        shown = {row[0] for row in session.execute("SELECT rolname FROM pg_roles")}
    assert not hidden & shown
    assert world.credentials.read(bob.serial, "DB_USER").reveal() in shown


@pytest.mark.parametrize("login", ["writer", "reader"])
def test_bob_enters_no_database_but_his_three(world: Any, pair: tuple[Any, Any], login: str) -> None:
    _, bob = pair
    with world.superuser() as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT datname FROM pg_database WHERE datname NOT LIKE 'control_template'")
        ]
    entered = []
    for name in names:
        try:
            getattr(world, login)(bob, dbname=name).close()
        except psycopg.OperationalError:
            continue
        entered.append(name)
    assert sorted(entered) == ["bob-QOR", "bob-drc", "bob-timing_report"]


def test_bobs_logins_do_not_share_alices_passwords_or_each_others(world: Any, pair: tuple[Any, Any]) -> None:
    alice, bob = pair
    stolen = world.credentials.read(bob.serial, "DB_PASS").reveal()
    for role in (
        world.credentials.read(alice.serial, "DB_USER").reveal(),
        world.stores.reader_login(world.store(bob).id)[0],
    ):
        with pytest.raises(psycopg.OperationalError):
            world.writer(bob, user=role, password=stolen)


def test_what_a_flow_needs_works_in_the_closed_database(world: Any, pair: tuple[Any, Any]) -> None:
    _, bob = pair
    with world.writer(bob) as flow:
        flow.execute("CREATE TABLE run (id serial PRIMARY KEY, at timestamptz DEFAULT now(), slack numeric, doc jsonb)")
        with flow.cursor() as cursor, cursor.copy("COPY run (slack) FROM STDIN") as copy:
            for slack in range(1000):
                copy.write_row([slack])
        for statement in (
            "CREATE INDEX ON run (at)",
            "CREATE VIEW late AS SELECT * FROM run WHERE slack < 10",
            "CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2'",
            "ANALYZE run",
            "VACUUM run",
            "CREATE TEMP TABLE staged AS SELECT * FROM run",
            "INSERT INTO run (slack) SELECT slack FROM staged ON CONFLICT DO NOTHING",
            "ALTER TABLE run ADD COLUMN more text",
            "CREATE TYPE corner AS ENUM ('ss', 'ff')",
            "TRUNCATE run",
        ):
            flow.execute(statement)
    battery = [
        "SELECT now(), version(), current_database(), current_user, current_setting('server_version_num')::int / 100",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.columns",
        "SELECT * FROM information_schema.table_constraints",
        "SELECT * FROM information_schema.role_table_grants",
        "SELECT * FROM information_schema.attributes",
        "SELECT * FROM information_schema.domains",
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'",
        "SELECT * FROM pg_tables",
        "SELECT * FROM pg_indexes",
        "SELECT * FROM pg_stat_user_tables",
        "SELECT * FROM pg_settings",
        "SELECT pg_size_pretty(pg_total_relation_size('run'))",
        "SELECT c.relname, pg_get_userbyid(c.relowner), pg_table_is_visible(c.oid) FROM pg_class c",
        "SELECT polname, array(SELECT rolname FROM pg_roles WHERE oid = ANY (polroles)) FROM pg_policy",
        (
            "SELECT quote_ident(table_name) FROM information_schema.tables WHERE quote_ident(table_schema) IN (SELECT "
            "CASE WHEN trim(s[i]) = '\"$user\"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower("
            "string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array("
            "current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s)"
        ),
        "SELECT date_trunc('hour', at), count(*) FROM run GROUP BY 1",
        "SELECT twice(2)",
        "SELECT * FROM late",
    ]
    for login in (world.writer, world.reader):
        with login(bob) as session:
            for query in battery:
                session.execute(query)


# Trojans: each is evaluated by whoever looks at bob's tables, and tries to do more than bob may.

TROJANS = {
    "a view's function": """
        CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN {deed} RETURN 1; END $$;
        CREATE VIEW bait AS SELECT trap() AS a""",
    "a domain's check": """
        CREATE FUNCTION trap(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN {deed} RETURN true; END $$;
        CREATE DOMAIN lure AS int CHECK (trap(VALUE));
        CREATE VIEW bait AS SELECT 1::lure AS a""",
    "an operator": """
        CREATE FUNCTION trap(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN {deed} RETURN true; END $$;
        CREATE OPERATOR = (LEFTARG = int, RIGHTARG = int, FUNCTION = trap);
        CREATE VIEW bait AS SELECT 1 OPERATOR(public.=) 1 AS a""",
    "an index expression": """
        CREATE FUNCTION trap(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN {guarded} RETURN $1; END $$;
        CREATE TABLE bait AS SELECT 1 AS a; CREATE INDEX ON bait (trap(a)); ANALYZE bait""",
    "a default": """
        CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN {guarded} RETURN 1; END $$;
        CREATE TABLE bait (a int DEFAULT trap()); INSERT INTO bait VALUES (1)""",
    "a policy": """
        CREATE FUNCTION trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN {deed} RETURN true; END $$;
        CREATE TABLE bait AS SELECT 1 AS a; ALTER TABLE bait ENABLE ROW LEVEL SECURITY;
        CREATE POLICY lure ON bait USING (trap())""",
    "a rule's cast": """
        CREATE TYPE lure AS ENUM ('x');
        CREATE FUNCTION trap(lure) RETURNS text LANGUAGE plpgsql AS $$ BEGIN {deed} RETURN 'x'; END $$;
        CREATE CAST (lure AS text) WITH FUNCTION trap(lure) AS IMPLICIT;
        CREATE VIEW bait AS SELECT ('x'::lure)::text AS a""",
}
DEEDS = {
    "alters a role": "EXECUTE 'ALTER ROLE {writer} CREATEDB CONNECTION LIMIT -1';",
    "counts on the canary": "PERFORM nextval('public.canary');",
    "makes itself a writer": "EXECUTE 'CREATE TABLE public.planted (a int)';",
}


@pytest.mark.parametrize("trojan", TROJANS)
def test_a_trojan_that_belvedere_looks_at_does_no_more_than_its_tenant_may(
    world: Any, pair: tuple[Any, Any], trojan: str
) -> None:
    _, bob = pair
    store = world.store(bob)
    reader, _ = world.stores.reader_login(store.id)
    with world.superuser(store.database) as connection:
        # Belvedere's own login may count on the canary and bob's logins may not: who evaluates decides.
        connection.execute("CREATE SEQUENCE public.canary")
        connection.execute("GRANT USAGE ON SEQUENCE public.canary TO belvedere")
    writer = world.credentials.read(bob.serial, "DB_USER").reveal()
    caught = "BEGIN {one} EXCEPTION WHEN OTHERS THEN NULL; END;"
    deed = " ".join(caught.replace("{one}", one.replace("{writer}", writer)) for one in DEEDS.values())
    # Run only by others: bob's own statements that set the bait must pass.
    guarded = f"IF current_user <> '{writer}' THEN {deed} END IF;"
    with world.writer(bob) as flow:
        flow.execute(TROJANS[trojan].replace("{deed}", guarded).replace("{guarded}", guarded))
    watch = ServerWatch(
        database=world.database, queue=world.queue, server=world.server, interval_s=0.5, full_every_s=60
    )
    try:
        for _ in range(4):
            watch.look()
    finally:
        watch.close()
    assert [one.name for one in world.stores.stable_relations(store.id)] == ["bait"]
    with world.stores.reader(store.id) as session:
        session.execute("SELECT * FROM public.bait LIMIT 10").fetchall()
        session.execute("SELECT count(*) FROM public.bait WHERE a::text = '1'").fetchall()
    world.stores.plan(world.operator, bob.serial)
    world.stores.provision(bob.serial)
    with world.superuser(store.database) as connection:
        assert connection.execute("SELECT is_called FROM public.canary").fetchone() == (False,)
        assert connection.execute("SELECT to_regclass('public.planted')").fetchone() == (None,)
        powers = "SELECT rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = ANY(%s)"
        assert set(connection.execute(powers, [[writer, reader]])) == {(False, 20)}


def test_a_search_path_does_not_lead_belvedere_to_a_tenants_names(world: Any, pair: tuple[Any, Any]) -> None:
    _, bob = pair
    store = world.store(bob)
    with world.writer(bob) as flow:
        flow.execute("CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''trapped'''")
        flow.execute("CREATE TABLE pg_class AS SELECT 1 AS a")
    reader, _ = world.stores.reader_login(store.id)
    with world.reader(bob) as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute("ALTER ROLE CURRENT_USER SET search_path = public, pg_catalog")
        session.execute("ALTER ROLE CURRENT_USER SET statement_timeout = 0")
        session.execute("ALTER ROLE CURRENT_USER SET standard_conforming_strings = off")
    with world.stores.reader(store.id) as session:
        assert session.execute("SELECT lower('A') AS a, current_user AS who").fetchone() == {"a": "a", "who": reader}
        shown = {
            name: session.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()[name]
            for name in (
                "search_path",
                "statement_timeout",
                "standard_conforming_strings",
                "transaction_read_only",
                "TimeZone",
            )
        }
    assert shown == {
        "search_path": "pg_catalog",
        "statement_timeout": "3s",
        "standard_conforming_strings": "on",
        "transaction_read_only": "on",
        "TimeZone": "UTC",
    }


LEFT_BEHIND = {
    "a setting": ("PERFORM set_config('search_path', 'public', false);", "SHOW search_path", "pg_catalog"),
    "a time zone": ("PERFORM set_config('TimeZone', 'Asia/Tokyo', false);", "SHOW TimeZone", "UTC"),
    "a prepared statement": (
        "EXECUTE 'PREPARE planted AS SELECT 1';",
        "SELECT count(*)::text FROM pg_prepared_statements WHERE name = 'planted'",
        "0",
    ),
    "a timeout": ("PERFORM set_config('statement_timeout', '0', false);", "SHOW statement_timeout", "3s"),
}


@pytest.mark.parametrize("trace", LEFT_BEHIND)
def test_nothing_of_one_look_is_left_for_the_next(world: Any, pair: tuple[Any, Any], trace: str) -> None:
    _, bob = pair
    store = world.store(bob)
    deed, query, clean = LEFT_BEHIND[trace]
    with world.writer(bob) as flow:
        flow.execute("CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN " + deed + " RETURN 1; END $$")
    for _ in range(2):
        with world.stores.reader(store.id) as session:
            before = next(iter(session.execute(query).fetchone().values()))
            session.execute("SELECT public.trap()")
            assert before == clean


def test_a_read_only_transaction_stays_so(world: Any, pair: tuple[Any, Any]) -> None:
    _, bob = pair
    with world.writer(bob) as flow:
        flow.execute("CREATE TABLE run (a int)")
        flow.execute("GRANT ALL ON run TO PUBLIC")
        flow.execute(
            "CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM set_config('transaction_read_only', 'off', true); "
            "INSERT INTO public.run VALUES (1); RETURN 1; END $$"
        )
    attempts: list[Callable[[Any], object]] = [
        lambda session: session.execute("SELECT public.trap()"),
        lambda session: session.execute("SET TRANSACTION READ WRITE"),
        lambda session: session.execute("INSERT INTO public.run VALUES (1)"),
    ]
    for attempt in attempts:
        with pytest.raises(psycopg.Error), world.stores.reader(world.store(bob).id) as session:
            attempt(session)
    with world.writer(bob) as flow:
        assert flow.execute("SELECT count(*) FROM run").fetchone() == (0,)


def test_a_query_that_will_not_end_is_ended(world: Any, pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from belvedere.stores.reader import postgres as reading

    _, bob = pair
    store = world.store(bob)
    with world.writer(bob) as flow:
        flow.execute(
            "CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); "
            "EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
        )
    with pytest.raises(psycopg.errors.QueryCanceled), world.stores.reader(store.id) as session:
        session.execute("SELECT pg_sleep(60)")
    monkeypatch.setattr(reading, "_GRACE_S", 0.5)
    with pytest.raises(BelvedereError, match="too long"), world.stores.reader(store.id) as session:
        session.execute("SELECT public.trap()")
    with world.superuser() as connection:
        left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%public.trap()%%' AND pid <> pg_backend_pid()"
        while connection.execute(left).fetchone() != (0,):
            pass


@pytest.mark.parametrize("login", ["writer", "reader"])
def test_nothing_that_bob_raises_reaches_the_servers_log(world: Any, pair: tuple[Any, Any], login: str) -> None:
    _, bob = pair
    with getattr(world, login)(bob) as session:
        assert session.execute("SHOW log_min_messages").fetchone() == ("fatal",)
        session.execute("SET client_min_messages = log")
        heard: list[str] = []
        session.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
        session.execute("DO $$ BEGIN RAISE LOG 'bob fills the disk'; END $$")
    assert heard == ["bob fills the disk"]


def test_the_limits_of_a_tenants_login_hold(world: Any, pair: tuple[Any, Any]) -> None:
    _, bob = pair
    role, _ = world.stores.reader_login(world.store(bob).id)
    with world.superuser() as connection:
        # A session that has said goodbye counts until its process is gone.
        while connection.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [role]).fetchone() != (0,):
            pass
    sessions = []
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        for _ in range(30):
            sessions.append(world.reader(bob))  # noqa: PERF401
    assert len(sessions) == 20
    for session in sessions[1:]:
        session.close()
    with sessions[0] as session:
        assert session.execute("SHOW temp_file_limit").fetchone() == ("1GB",)
        assert session.execute("SHOW max_parallel_workers_per_gather").fetchone() == ("0",)
        assert session.execute("SHOW statement_timeout").fetchone() == ("3s",)
