"""Pictures by Grafana's own image renderer, with real Grafana and a real renderer beside it.

Needs a Grafana for tests that has one (`[rendering] server_url`, `callback_url`). Without it the stand-in of
`tests/unit/previews/test_ways.py` alone is tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from PIL import Image

from belvedere.app import Services
from belvedere.dashboards.model import Dashboard
from belvedere.kernel.actor import SYSTEM
from belvedere.sample.tables import TABLES
from belvedere.tenants.model import Tenant
from grafana_installation import installation, published, run, tenant_with_sample
from grafana_world import REAL, access_of


def renderer_is_there() -> bool:
    """Ask the Grafana for tests whether it has a renderer."""
    if not REAL:
        return False
    access = access_of(REAL)
    login = (access.user, access.password.reveal())
    return bool(httpx2.get(f"{access.url}/api/frontend/settings", auth=login, timeout=30).json()["rendererAvailable"])


pytestmark = [
    pytest.mark.contract, pytest.mark.timeout(600),
    pytest.mark.skipif(not REAL, reason="BELVEDERE_TEST_GRAFANA_URL is not given"),
]


@dataclass
class Sampled:
    """One tenant with the sample's tables, and all its dashboards in the real Grafana."""

    services: Services
    tenant: Tenant
    boards: list[Dashboard]

    def board(self, table: str) -> Dashboard:
        return next(one for one in self.boards if one.table == table)

    def capture(self, table: str) -> Any:
        board = self.board(table)
        made = self.services.previews.request(SYSTEM, board.id)
        self.services.previews.capture(str(board.id))
        return self.services.previews.get(SYSTEM, made.id)

    def reason(self, made: Any) -> str:
        return self.services.previews.attempts(SYSTEM, made.id)[-1].error or ""

    def ask(self, organisation: int = 0) -> httpx2.Client:
        access = access_of(REAL)
        number = organisation or int(self.boards[0].url.rpartition("=")[2])
        return httpx2.Client(
            base_url=access.url, auth=(access.user, access.password.reveal()), timeout=60,
            headers={"X-Grafana-Org-Id": str(number)})


@pytest.fixture(scope="module")
def sampled(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sampled]:
    if not renderer_is_there():
        pytest.skip("the Grafana for tests has no image renderer")
    home = tmp_path_factory.mktemp("rendered") / "home"
    with installation(cluster, home, grafana_capture="renderer") as services:
        tenant = tenant_with_sample(services)
        yield Sampled(services, tenant, published(services, tenant, tables=len(TABLES)))


def test_a_picture_is_taken_of_every_kind_and_the_token_is_gone_after_it(sampled: Sampled) -> None:
    tables = {one.template: one.table for one in sampled.boards}
    assert sorted(tables) == ["drc", "generic", "metrics-history", "timing-paths"]
    for table in tables.values():
        made = sampled.capture(table)
        assert (made.state, made.error, made.width, made.height) == ("captured", None, 1920, 1080), sampled.reason(made)
        with Image.open(sampled.services.previews.file(SYSTEM, made.id, "png")) as still:
            assert len(still.convert("RGB").getcolors(1 << 24) or []) > 40
    with sampled.ask() as admin:
        accounts = admin.get("/api/serviceaccounts/search").json()["serviceAccounts"]
    assert [one["tokens"] for one in accounts] == [0]


def test_of_a_dashboard_that_is_gone_there_is_no_picture(sampled: Sampled) -> None:
    board = sampled.board("compute_jobs")
    uid = board.url.rpartition("/")[2].partition("?")[0]
    with sampled.ask() as admin:
        admin.delete(f"/api/dashboards/uid/{uid}").raise_for_status()
    made = sampled.capture("compute_jobs")
    assert made.state != "captured"
    assert "answered 404 for the dashboard" in sampled.reason(made)
    run(sampled.services, "workspaces.provision", sampled.tenant.serial)
