"""New values in a campaign that has its dashboard: shown within seconds, and many files at once cost few pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from belvedere.audit.service import FileHistory
from belvedere.dashboards import renewing
from belvedere.dashboards.campaigns import Measured
from belvedere.dashboards.renewing import pause_s
from belvedere.dashboards.service import Dashboards
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM, Actor
from belvedere.kernel.db import Database
from belvedere.previews.subjects import subjects
from belvedere.reactions import REACTIONS
from belvedere.workspaces.service import Workspaces

SPRING = uuid4()
START = datetime(2026, 1, 5, 10, tzinfo=UTC)


@dataclass
class Known:
    """What files brought, as a test says."""

    measured: Measured
    now: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))

    def one(self, campaign: UUID) -> Measured | None:
        return self.measured if campaign == SPRING else None

    def of_tenant(self, _serial: int) -> Sequence[Measured]:
        return [self.measured]

    def came(self, **changes: Any) -> None:
        """A file was done now."""
        self.measured = replace(self.measured, newest_at=self.now, **changes)


@pytest.fixture
def known(tenant_store: Any) -> Known:
    tenant_store.facts.kind = "series"
    return Known(Measured(tenant_store.facts.tenant_id, "spring", "series"))


@pytest.fixture
def dashboards(
    database: Database, history: FileHistory, tenant_store: Any, workspaces: Workspaces, known: Known
) -> Dashboards:
    """The room over a store of campaigns, with one that has values and its dashboard."""
    tenant_store.write(
        "CREATE TABLE spring AS SELECT timestamptz '2026-01-05 10:00Z' + n * interval '10 minutes' AS time, "
        "'02001171'::text AS meter, '02001171'::text AS device, 'master'::text AS device_type, "
        "'02001171 Ch1'::text AS channel, 'M1_Ch1'::text AS channel_id, 'Voie1'::text AS channel_name, "
        "'W'::text AS unit, n::float8 AS value, n::float8 AS power_w FROM generate_series(0, 36) AS n")
    made = Dashboards(
        database=database, history=history, queue=JobQueue(database, REACTIONS), stores=tenant_store,
        workspaces=workspaces, now=lambda: known.now, campaigns=known)
    made.reconcile(tenant_store.facts.id)
    forget(database)
    return made


def forget(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM procrastinate_jobs")


def waiting(database: Database) -> dict[str, float]:
    """Return the jobs that wait, and in how many seconds each is due."""
    with database.transaction() as connection:
        found = connection.execute(
            "SELECT task_name, coalesce(extract(epoch FROM scheduled_at - now()), 0)::float8 AS in_s "
            "FROM procrastinate_jobs WHERE status = 'todo'").fetchall()
    return {row["task_name"]: max(0.0, row["in_s"]) for row in found}


def verbs(history: FileHistory) -> list[str]:
    return sorted(one.verb for one in history.search(SYSTEM, limit=200).items if one.verb.startswith("dashboard."))


def test_values_that_came_are_shown_at_once_and_nothing_is_published_where_nothing_moved(
    dashboards: Dashboards, known: Known, database: Database, history: FileHistory, actor: Actor
) -> None:
    dashboards.renewing.renew(str(SPRING))
    assert waiting(database) == {}, "no file told of values yet"
    # As many as the first look found: neither range nor panels move.
    known.came()
    before = dashboards.list(actor).items[0]
    published = verbs(history).count("dashboard.publish")
    dashboards.renewing.renew(str(SPRING))
    assert waiting(database) == {"previews.open": 0.0}
    [after] = dashboards.list(actor).items
    assert (after.changed_at, after.renewed_at) == (before.changed_at, known.now)
    assert verbs(history).count("dashboard.publish") == published
    look = subjects(dashboards)(after.id)
    assert look is not None
    assert look.changed_at == known.now > before.changed_at, "a picture of before is no picture of now"
    forget(database)
    known.now += timedelta(minutes=5)
    dashboards.renewing.renew(str(SPRING))
    assert waiting(database) == {}, "it shows them already"


def test_more_values_wait_a_little_and_the_range_goes_with_them(
    dashboards: Dashboards, known: Known, database: Database, tenant_store: Any, actor: Actor
) -> None:
    known.came()
    dashboards.renewing.renew(str(SPRING))
    forget(database)
    known.now += timedelta(seconds=3)
    tenant_store.write(
        "INSERT INTO spring SELECT time + interval '1 day', meter, device, device_type, channel, channel_id, "
        "channel_name, unit, value, power_w FROM spring")
    known.came(points=74, rows=74, meters=1, first=START, last=START + timedelta(hours=30))
    dashboards.renewing.renew(str(SPRING))
    assert waiting(database) == {"dashboards.renew": pytest.approx(renewing.APART_S - 3, abs=1)}
    forget(database)
    known.now += timedelta(seconds=renewing.APART_S)
    dashboards.renewing.renew(str(SPRING))
    assert {"previews.open"} == set(waiting(database))
    shown = dashboards.shown(actor, dashboards.list(actor).items[0].id)
    assert (shown.model.until, shown.model.gap_s) == ("2026-01-06T16:01Z", 4 * 3600)


def test_a_campaign_that_is_renamed_keeps_its_dashboard_even_where_one_of_that_name_was(
    dashboards: Dashboards, tenant_store: Any, actor: Actor, history: FileHistory
) -> None:
    [before] = dashboards.list(actor).items
    tenant_store.write("CREATE TABLE plant AS SELECT * FROM spring")
    dashboards.reconcile(tenant_store.facts.id)
    tenant_store.write("DROP TABLE plant")
    dashboards.reconcile(tenant_store.facts.id)
    tenant_store.write("ALTER TABLE spring RENAME TO plant")
    dashboards.reconcile(tenant_store.facts.id)
    [after] = dashboards.list(actor).items
    assert (after.id, after.table, after.title) == (before.id, "plant", "Campaign: plant")
    assert (after.link, after.url, str(after.state)) == (before.link, before.url, "ready")
    assert "dashboard.rename" in verbs(history)


def test_a_flows_table_that_is_put_aside_leaves_its_name_the_dashboard(
    dashboards: Dashboards, tenant_store: Any, actor: Actor
) -> None:
    [before] = dashboards.list(actor).items
    tenant_store.facts.kind = "QOR"
    tenant_store.write("ALTER TABLE spring RENAME TO spring_old", "CREATE TABLE spring AS SELECT * FROM spring_old")
    dashboards.reconcile(tenant_store.facts.id)
    assert {one.table: one.id == before.id for one in dashboards.list(actor).items} == {
        "spring": True, "spring_old": False}


@pytest.mark.parametrize(("files", "each_s", "most"), [(1000, 0.05, 3), (1000, 0.5, 11), (1, 0.0, 1), (60, 60.0, 60)])
def test_many_files_make_few_renewals_and_the_last_is_shown_soon(files: int, each_s: float, most: int) -> None:
    times = [START + timedelta(seconds=one * each_s) for one in range(files)]
    renewals: list[datetime] = []
    due: datetime | None = None
    for place, came in enumerate(times):
        following = times[place + 1] if place + 1 < files else came + timedelta(hours=1)
        due = came
        while due < following:
            wait_s = pause_s(came, renewals[-1] if renewals else None, due)
            if wait_s == 0:
                renewals.append(due)
                break
            due += timedelta(seconds=wait_s)
    assert renewals[0] == times[0]
    assert timedelta() <= renewals[-1] - times[-1] <= timedelta(seconds=renewing.APART_S)
    assert len(renewals) <= most
    apart = [later - one for one, later in pairwise(renewals)]
    assert all(one >= timedelta(seconds=renewing.APART_S) for one in apart)
