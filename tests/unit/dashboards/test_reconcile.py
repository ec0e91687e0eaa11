"""Dashboards follow tables: made, changed, gone and back, each said once."""

from typing import Any

from belvedere.dashboards.model import DashboardState
from belvedere.dashboards.service import Dashboards
from belvedere.kernel.actor import Actor
from belvedere.kernel.db import Database


def events(database: Database) -> list[tuple[str, str]]:
    with database.transaction() as connection:
        return [(row["name"], row["key"]) for row in connection.execute(
            "SELECT task_name AS name, args->>'key' AS key FROM procrastinate_jobs ORDER BY id")]


def test_the_real_history_becomes_a_dashboard(dashboards: Dashboards, orfs: Any, actor: Actor) -> None:
    dashboards.reconcile(orfs.facts.id)
    [found] = dashboards.list(actor).items
    assert (found.family, found.state, found.guess) == ("METRICS2.1 history", DashboardState.READY, False)
    assert found.url == f"http://portal/tenants/alice/dashboards/{found.id}"
