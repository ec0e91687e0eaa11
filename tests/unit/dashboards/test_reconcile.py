"""Dashboards follow tables: made, changed, gone and back, each said once."""

import pytest

from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.patience import Patience
from belvedere.dashboards.service import Dashboards
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database, rows
from belvedere.kernel.errors import Later, NotFound, Rejected
from belvedere.workspaces.viewer.service import Viewer


def events(database: Database) -> list[tuple[str, str]]:
    with database.transaction() as connection:
        return [
            (row["name"], row["key"])
            for row in connection.execute(
                "SELECT task_name AS name, args->>'key' AS key FROM procrastinate_jobs ORDER BY id"
            )
        ]


def test_the_real_history_becomes_a_dashboard(dashboards: Dashboards, orfs, actor: Actor) -> None:
    dashboards.reconcile(orfs.facts.id)
    [found] = dashboards.list(actor).items
    assert (found.family, found.state, found.guess) == ("METRICS2.1 history", DashboardState.READY, False)
    assert found.url == f"http://portal/tenants/alice/dashboards/{found.id}"


def test_nothing_new_says_nothing(dashboards: Dashboards, orfs, actor: Actor, database: Database) -> None:
    dashboards.reconcile(orfs.facts.id)
    before, reads = events(database), orfs.reads
    dashboards.reconcile(orfs.facts.id)
    assert (events(database), orfs.reads) == (before, reads)


def test_a_look_an_hour_later_finds_the_same(dashboards: Dashboards, orfs, actor: Actor, database: Database) -> None:
    dashboards.reconcile(orfs.facts.id)
    [first] = dashboards.list(actor).items
    with database.transaction() as connection:
        connection.execute("UPDATE dashboard SET looked_at = now() - interval '2 hours'")
    before, reads = events(database), orfs.reads
    dashboards.reconcile(orfs.facts.id)
    assert orfs.reads == reads + 1
    assert events(database) == before
    assert dashboards.get(actor, first.id).changed_at == first.changed_at


def test_a_new_column_changes_the_dashboard_under_the_same_address(
    dashboards: Dashboards, tenant_store, actor: Actor, database: Database
) -> None:
    tenant_store.write("CREATE TABLE p (endpoint text, slack float8)", "INSERT INTO p VALUES ('a', 1)")
    dashboards.reconcile(tenant_store.facts.id)
    [first] = dashboards.list(actor).items
    tenant_store.write("ALTER TABLE p ADD clock text")
    dashboards.reconcile(tenant_store.facts.id)
    [second] = dashboards.list(actor).items
    assert second.id == first.id
    assert second.url == first.url
    assert second.changed_at > first.changed_at
    assert dashboards.shown(actor, first.id).version == 2


def test_a_table_that_goes_and_comes_back_finds_its_dashboard_and_override(
    dashboards: Dashboards, tenant_store, actor: Actor, database: Database
) -> None:
    tenant_store.write("CREATE TABLE p (endpoint text, slack float8)", "INSERT INTO p VALUES ('a', 1)")
    dashboards.reconcile(tenant_store.facts.id)
    [first] = dashboards.list(actor).items
    dashboards.override(actor, first.id, "generic", "we look at raw rows here")
    tenant_store.write("DROP TABLE p")
    dashboards.reconcile(tenant_store.facts.id)
    assert dashboards.list(actor).items == []
    assert ("previews.forget", str(first.id)) in events(database)
    with pytest.raises(NotFound):
        dashboards.get(actor, first.id)
    tenant_store.write("CREATE TABLE p (endpoint text, slack float8)", "INSERT INTO p VALUES ('b', 1)")
    dashboards.reconcile(tenant_store.facts.id)
    [back] = dashboards.list(actor).items
    assert (back.id, back.template, back.overridden, back.state) == (first.id, "generic", True, "ready")


def test_an_override_sticks_until_it_is_removed(dashboards: Dashboards, orfs, actor: Actor) -> None:
    dashboards.reconcile(orfs.facts.id)
    [found] = dashboards.list(actor).items
    with pytest.raises(Rejected, match="needs slack, endpoint"):
        dashboards.override(actor, found.id, "timing-paths", "why not")
    with pytest.raises(Rejected, match="Enter a reason"):
        dashboards.override(actor, found.id, "generic", " ")
    dashboards.override(actor, found.id, "generic", "raw rows")
    dashboards.reconcile(orfs.facts.id)
    why = dashboards.why(actor, found.id)
    assert (why.template, why.override, why.override_reason, why.override_by) == (
        "generic",
        "generic",
        "raw rows",
        "charlie",
    )
    dashboards.override(actor, found.id, "", "")
    dashboards.reconcile(orfs.facts.id)
    assert dashboards.get(actor, found.id).template == "metrics-history"


def test_why_tells_columns_scores_and_runner_up(dashboards: Dashboards, orfs, actor: Actor) -> None:
    dashboards.reconcile(orfs.facts.id)
    [found] = dashboards.list(actor).items
    why = dashboards.why(actor, found.id)
    assert {m.column: m.role for m in why.matched} == {
        "run_at": "run",
        "commit": "commit",
        "platform": "platform",
        "design": "design",
        "metric": "metric",
        "value": "value",
    }
    assert why.score > why.needed
    assert why.runner_up is not None
    assert why.runner_up.template == "generic"
    assert (why.rows_looked_at, why.whole) == (5000, False)


def test_every_relation_ends_in_a_state_with_a_sentence(
    dashboards: Dashboards, tenant_store, viewer: Viewer, actor: Actor
) -> None:
    dashboards._following._patience = Patience(look_s=0.3)
    wide = ", ".join(f"c{i} float8" for i in range(1600))
    tenant_store.write(
        "CREATE TABLE nothing ()",
        f"CREATE TABLE wide ({wide})",
        "CREATE TABLE closed (a int)",
        "DO $$ BEGIN EXECUTE (SELECT format('REVOKE ALL ON closed FROM %I', rolname) FROM pg_roles "
        "WHERE rolname LIKE 't\\_r%' "
        "AND has_table_privilege(rolname, 'closed', 'select') AND rolname <> current_user LIMIT 1); END $$",
        "CREATE VIEW fails AS SELECT 1 / (random() * 0)::int AS slack, 'e' AS endpoint",
        "CREATE VIEW slow AS SELECT 'e'::text AS endpoint, g::float8 AS slack "
        "FROM generate_series(1, 1) g, pg_sleep(30)",
        "CREATE MATERIALIZED VIEW copied AS SELECT 1.5 AS slack, 'e'::text AS endpoint",
        "CREATE TABLE parted (at timestamptz, n int) PARTITION BY RANGE (at)",
    )
    dashboards.reconcile(tenant_store.facts.id)
    found = {d.table: d for d in dashboards.list(actor).items}
    assert {name: d.state for name, d in found.items()} == {
        "nothing": "ready",
        "wide": "ready",
        "closed": "needs you",
        "fails": "needs you",
        "slow": "ready",
        "copied": "ready",
        "parted": "ready",
    }
    assert found["fails"].message == "It cannot be read: division by zero."
    assert found["closed"].message == "The tenant's reader may not read it: permission denied for table closed."
    assert found["copied"].family == "timing paths"
    assert found["slow"].family == "timing paths"
    assert viewer.panel(actor, found["nothing"].id, "nothing").options["text"].startswith("This table has no columns")
    assert len(viewer.panel(actor, found["wide"].id, "profile").columns) == 6


def test_a_table_that_vanishes_during_the_look_is_left_alone(
    dashboards: Dashboards, tenant_store, actor: Actor
) -> None:
    tenant_store.write("CREATE TABLE p (endpoint text, slack float8)")
    seen = tenant_store.stable_relations(tenant_store.facts.id)
    tenant_store.write("DROP TABLE p")
    tenant_store.stable_relations = lambda _store: seen
    dashboards.reconcile(tenant_store.facts.id)
    assert dashboards.list(actor).items == []


def test_a_table_being_written_keeps_its_dashboard(dashboards: Dashboards, orfs, actor: Actor) -> None:
    dashboards.reconcile(orfs.facts.id)
    standing = orfs.stable_relations(orfs.facts.id)
    orfs.relations = lambda _actor, _store: standing
    orfs.stable_relations = lambda _store: []
    dashboards.reconcile(orfs.facts.id)
    assert len(dashboards.list(actor).items) == 1


def test_a_store_that_does_not_answer_is_tried_again(dashboards: Dashboards, orfs, actor: Actor) -> None:
    def away(_store, *, within_s: float):
        message = "The store does not answer."
        raise Later(message)

    orfs.reader = away
    dashboards_reader = dashboards
    with pytest.raises(Later):
        dashboards_reader.reconcile(orfs.facts.id)
    [found] = dashboards.list(actor).items
    assert (found.state, found.message) == (DashboardState.WAITING, "The store does not answer.")
    del orfs.reader
    dashboards.reconcile(orfs.facts.id)
    assert dashboards.get(actor, found.id).state is DashboardState.READY


def test_create_makes_the_dashboard_of_one_table_now(dashboards: Dashboards, orfs, actor: Actor) -> None:
    made = dashboards.create(actor, orfs.facts.tenant_id, "alice-QOR", "orfs_runs")
    assert made.table == "orfs_runs"
    assert dashboards.create(actor, orfs.facts.tenant_id, "alice-QOR", "orfs_runs").id == made.id
    with pytest.raises(NotFound, match="No table `nope`"):
        dashboards.create(actor, orfs.facts.tenant_id, "alice-QOR", "nope")
    with pytest.raises(NotFound, match="no database"):
        dashboards.create(actor, orfs.facts.tenant_id, "bob-QOR", "orfs_runs")


def test_another_tenants_actor_sees_nothing(
    dashboards: Dashboards, orfs, actor: Actor, tenants, viewer: Viewer
) -> None:
    dashboards.reconcile(orfs.facts.id)
    [found] = dashboards.list(actor).items
    bob, _ = tenants.create(actor, "bob")
    confined = Actor(name="bob", role=Role.OPERATOR, tenant=bob.serial)
    alice = Actor(name="alice", role=Role.OPERATOR, tenant=orfs.facts.tenant_id)
    assert dashboards.list(confined).items == []
    assert [d.id for d in dashboards.list(alice).items] == [found.id]
    for ask in (dashboards.get, dashboards.why, viewer.layout):
        with pytest.raises(NotFound):
            ask(confined, found.id)
    with pytest.raises(NotFound):
        viewer.panel(confined, found.id, "wns")
    with pytest.raises(NotFound):
        dashboards.list(confined, tenant=orfs.facts.tenant_id)
    assert viewer.panel(alice, found.id, "wns").state == "ok"


def test_existing_sql_readers_find_their_columns(
    dashboards: Dashboards, orfs, actor: Actor, database: Database
) -> None:
    dashboards.reconcile(orfs.facts.id)
    [found] = dashboards.list(actor).items
    with database.transaction() as connection:
        [row] = rows(connection, "SELECT * FROM dashboardqor")
        assert list(row) == [
            "id",
            "user_id",
            "username",
            "table_name",
            "dashboard_url",
            "local_snapshot_url",
            "source",
            "created_at",
            "app_user_id",
            "app_username",
            "slack_sent_at",
        ]
        assert (row["id"], row["username"], row["table_name"]) == (found.id, "alice", "orfs_runs")
        assert rows(connection, "SELECT * FROM dashboardtiming") == rows(connection, "SELECT * FROM dashboarddrc") == []


def test_pages_follow_each_other_newest_first(dashboards: Dashboards, tenant_store, actor: Actor) -> None:
    for number in range(5):
        tenant_store.write(f"CREATE TABLE t{number} (a int)")
        dashboards.reconcile(tenant_store.facts.id)
    first = dashboards.list(actor, limit=3)
    second = dashboards.list(actor, limit=3, after=first.next)
    assert [d.table for d in first.items + second.items] == ["t4", "t3", "t2", "t1", "t0"]
    assert (first.total, second.next) == (5, None)


@pytest.mark.parametrize(
    ("kind", "first", "shown"),
    [
        ("timestamptz", "now() - interval '2 days'", "now-7d"),
        ("timestamptz", "now() - interval '40 days'", "now-90d"),
        ("text", "to_char(now() - interval '200 days', 'YYYY-MM-DD HH24:MI')", "now-1y"),
        ("date", "'1950-01-01'", "now-10y"),
        ("timestamptz", "NULL", "now-10y"),
    ],
)
def test_a_dashboard_in_grafana_opens_on_the_time_that_its_rows_span(
    dashboards: Dashboards, tenant_store, kind: str, first: str, shown: str
) -> None:
    tenant_store.write(
        f"CREATE TABLE runs (run_date {kind}, design text, wns_ns float8)",
        f"INSERT INTO runs VALUES ({first}, 'a', 1), ({first}, 'a', 2)",
    )
    dashboards.reconcile(tenant_store.facts.id)
    [one] = dashboards.publications(tenant_store.facts.tenant_id)
    assert one.document["time"] == {"from": shown, "to": "now"}


def test_rows_from_before_the_range_are_in_it_within_a_quarter_of_an_hour_when_the_table_has_grown(
    dashboards: Dashboards, tenant_store, database: Database
) -> None:
    tenant_store.write(
        "CREATE TABLE runs (run_date timestamptz, design text, wns_ns float8)",
        "INSERT INTO runs VALUES (now() - interval '2 days', 'a', 1)",
    )

    def later(minutes: int) -> str:
        with database.transaction() as connection:
            connection.execute("UPDATE dashboard SET looked_at = now() - make_interval(mins => %s)", [minutes])
        dashboards.reconcile(tenant_store.facts.id)
        [one] = dashboards.publications(tenant_store.facts.tenant_id)
        return str(one.document["time"]["from"])

    assert later(0) == "now-7d"
    reads = tenant_store.reads
    assert later(15) == "now-7d"
    assert tenant_store.reads == reads, "nothing grew"
    tenant_store.write(
        "INSERT INTO runs SELECT now() - interval '200 days', 'old', n FROM generate_series(1, 1000) AS n"
    )
    assert later(5) == "now-7d"
    assert tenant_store.reads == reads, "it was looked at a moment ago"
    assert later(15) == "now-1y"
    assert tenant_store.reads == reads + 1
