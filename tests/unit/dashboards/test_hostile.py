"""Hostile names, and a tenant's own functions, domains, types and operators that try to do harm when looked at."""

import psycopg
import pytest
from psycopg import sql

from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.service import Dashboards
from belvedere.kernel.actor import Actor
from belvedere.workspaces.viewer.service import Viewer
from belvedere.workspaces.viewer.store import TooLarge, run

NAMES = [
    '"; drop table x; --',
    "a.b",
    "per%cent %s %(x)s",
    "{braces} {0}",
    "$__timeFilter(x)",
    "${platform}",
    "[[var]]",
    "quote'quote",
    "back\\slash",
    "new\nline",
    "Größe µm²",
    "n" * 63,
    "é" * 31,
    "SELECT",
    " ",
    "tab\t",
    "\u202eevil",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_table_and_columns_is_drawn(
    name: str, dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    with psycopg.connect(tenant_store.writer_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE TABLE {} ({} text, {} float8, at timestamptz)").format(
                sql.Identifier(name), sql.Identifier(name), sql.Identifier(name[:50] + "_2")
            )
        )
        connection.execute(
            sql.SQL("INSERT INTO {} SELECT 'v' || g % 3, g, now() FROM generate_series(1, 9) g").format(
                sql.Identifier(name)
            )
        )
    dashboards.reconcile(tenant_store.facts.id)
    [found] = dashboards.list(actor).items
    assert (found.table, found.state) == (name, DashboardState.READY)
    for row in viewer.layout(actor, found.id).rows:
        for panel in row.panels:
            data = viewer.panel(actor, found.id, panel.id)
            assert data.state == "ok", data.message
    dashboards.reconcile(tenant_store.facts.id)
    assert len(dashboards.list(actor).items) == 1


@pytest.mark.parametrize("role", ["slack", "endpoint", "clock"])
def test_hostile_values_are_values(
    role: str, dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write("CREATE TABLE p (endpoint text, slack float8, clock text)")
    tenant_store.copy("p", [(name, -1.0, name) for name in NAMES])
    dashboards.reconcile(tenant_store.facts.id)
    [found] = dashboards.list(actor).items
    clock = next(v for v in viewer.layout(actor, found.id).variables if v.name == "clock")
    assert sorted(clock.options) == sorted(["All", *NAMES])
    for name in NAMES:
        assert viewer.panel(actor, found.id, "endpoints", variables={"clock": name}).rows[0][0] == 1


@pytest.mark.parametrize("query", [
    "SELECT generate_series(1, 2000000000) AS a",
    "SELECT repeat('x', 400) AS a, generate_series(1, 2000000000) AS b",
])
def test_what_is_too_large_to_draw_is_neither_held_nor_waited_for(query: str, tenant_store) -> None:
    with psycopg.connect(tenant_store.writer_url) as connection:
        with pytest.raises(TooLarge, match="Choose a shorter range"):
            run(connection, sql.SQL(query).format())  # type: ignore[arg-type]
        connection.rollback()
        assert run(connection, sql.SQL("SELECT 1 AS a").format()) == [{"a": 1}]


def _no_panel_fails(dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor) -> None:
    dashboards.reconcile(tenant_store.facts.id)
    [found] = dashboards.list(actor).items
    assert found.state == DashboardState.READY
    rows = viewer.layout(actor, found.id).rows
    states = {viewer.panel(actor, found.id, panel.id).state for row in rows for panel in row.panels}
    assert "ok" in states
    assert "error" not in states


def test_dates_beyond_every_calendar_are_left_out(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write(
        "CREATE TABLE odd AS SELECT CASE g WHEN 1 THEN date '5874897-01-01' WHEN 2 THEN date 'infinity' "
        "ELSE date '2026-01-01' + g END AS day, g AS amount FROM generate_series(1, 30) AS g"
    )
    _no_panel_fails(dashboards, tenant_store, viewer, actor)


def test_a_collation_that_takes_different_texts_for_equal_is_drawn(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    try:
        tenant_store.write("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server is built without ICU, so it has no such collations")
    tenant_store.write(
        "CREATE TABLE odd (at date, name text COLLATE loose, amount text COLLATE loose)",
        "INSERT INTO odd SELECT date '2026-01-01' + g, 'run ' || g % 3, g FROM generate_series(1, 30) AS g",
    )
    _no_panel_fails(dashboards, tenant_store, viewer, actor)


TROJANS = [
    "CREATE SEQUENCE canary",
    "CREATE TABLE caught (who text)",
    """CREATE FUNCTION trojan() RETURNS float8 LANGUAGE plpgsql VOLATILE AS $$ BEGIN
        BEGIN PERFORM nextval('public.canary'); EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN INSERT INTO public.caught VALUES (session_user); EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN EXECUTE 'ALTER ROLE ' || quote_ident(session_user) || ' SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN EXECUTE 'SET TRANSACTION READ WRITE'; EXCEPTION WHEN OTHERS THEN NULL; END;
        PERFORM set_config('search_path', 'public', false);
        RETURN -1; END $$""",
    # Functions and operators of the names that composed statements use, better matching than the built-in ones.
    """CREATE FUNCTION count(float8) RETURNS bigint LANGUAGE sql AS 'SELECT public.trojan()::bigint'""",
    """CREATE FUNCTION less(float8, int) RETURNS boolean LANGUAGE sql AS 'SELECT public.trojan() > 0'""",
    "CREATE OPERATOR < (LEFTARG = float8, RIGHTARG = int, PROCEDURE = less)",
    "CREATE FUNCTION shout(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.trojan() > 0'",
    "CREATE OPERATOR ~ (LEFTARG = text, RIGHTARG = text, PROCEDURE = shout)",
    "CREATE FUNCTION checked(float8) RETURNS boolean LANGUAGE sql AS 'SELECT public.trojan() = -1'",
    "CREATE DOMAIN watched AS float8 CHECK (checked(VALUE))",
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE FUNCTION as_text(pair) RETURNS text LANGUAGE sql AS $$ SELECT public.trojan()::text $$",
    "CREATE CAST (pair AS text) WITH FUNCTION as_text(pair) AS ASSIGNMENT",
    "CREATE TABLE t (endpoint text, slack watched, mood mood, pair pair, clock text DEFAULT trojan()::text)",
    "INSERT INTO t VALUES ('e1', -1, 'sad', ROW(1, 'x'), 'c'), ('e2', 2, 'glad', NULL, 'c')",
    "CREATE VIEW trap AS SELECT endpoint, trojan() AS slack, mood, pair FROM t",
    "TRUNCATE caught",
    "SELECT setval('canary', 1, false)",
]


def test_nothing_of_a_tenant_runs_with_more_than_its_readers_rights(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write(*TROJANS)
    dashboards.reconcile(tenant_store.facts.id)
    tables = {d.table: d for d in dashboards.list(actor).items}
    assert {"t", "trap"} <= set(tables)
    for table in ("t", "trap"):
        for row in viewer.layout(actor, tables[table].id).rows:
            for panel in row.panels:
                data = viewer.panel(actor, tables[table].id, panel.id)
                assert data.state in ("ok", "partial", "empty"), (panel.id, data.message)
    assert tenant_store.one("SELECT is_called FROM canary") is False
    assert tenant_store.one("SELECT count(*) FROM caught") == 0
    assert tenant_store.one("SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname LIKE 't\\_%'") is False
    worst = viewer.panel(actor, tables["t"].id, "wns")
    assert worst.rows[0][0] == -1


def test_types_of_the_tenants_own_show_as_text(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write(
        *TROJANS[:15], "INSERT INTO t VALUES ('e1', -1, 'sad', ROW(1, 'x'), 'c')", "ALTER TABLE t RENAME slack TO other"
    )
    dashboards.reconcile(tenant_store.facts.id)
    shown = next(d for d in dashboards.list(actor).items if d.table == "t")
    assert viewer.panel(actor, shown.id, "first-rows").rows == [["e1", -1.0, "sad", "(1,x)", "c"]]


def test_a_view_of_endless_texts_is_cut_before_it_leaves_the_server(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write("CREATE VIEW wide AS SELECT repeat('w', 1000000) AS note, g FROM generate_series(1, 20) g")
    dashboards.reconcile(tenant_store.facts.id)
    [found] = dashboards.list(actor).items
    for row in viewer.layout(actor, found.id).rows:
        for panel in row.panels:
            cells = [cell for line in viewer.panel(actor, found.id, panel.id).rows for cell in line]
            assert all(len(str(cell)) <= 500 for cell in cells)
    assert "w" * 500 in viewer.panel(actor, found.id, "first-rows").rows[0]


def test_an_error_is_the_databases_sentence_in_its_panel_only(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    tenant_store.write("CREATE TABLE a (endpoint text, slack float8)", "INSERT INTO a VALUES ('x', 1)")
    dashboards.reconcile(tenant_store.facts.id)
    [found] = dashboards.list(actor).items
    tenant_store.write("ALTER TABLE a RENAME slack TO slack_2")
    data = viewer.panel(actor, found.id, "wns")
    assert (data.state, data.message) == ("error", 'column "slack" does not exist')
    assert viewer.layout(actor, found.id).title == "Timing: a"
