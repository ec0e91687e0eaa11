"""The fleet of uploads in a real Grafana over a real InfluxDB: every panel answers, and no tenant's person sees it.

Needs BELVEDERE_TEST_GRAFANA_URL and BELVEDERE_TEST_INFLUX_URL. On twins: `tests/unit/web/test_fleet.py`.
"""

import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from belvedere.dashboards.fleet.wire import fleet_of
from belvedere.kernel.actor import SYSTEM
from grafana_world import REAL
from influx_grafana import both
from influx_world import URL

pytestmark = [
    pytest.mark.contract, pytest.mark.timeout(600),
    pytest.mark.skipif(not (REAL and URL), reason="needs a real Grafana and a real InfluxDB"),
]


def points() -> bytes:
    """Write what ours and today's parser write: with and without what only ours knows."""
    now = time.time_ns() - 60_000_000_000
    lines = [
        (f'tsv_parser_run,status=success base_folder="/srv",bucket="acme",duration_s=1.5,nb_files_failed=1i,'
        f"nb_files_success=2i,nb_files_total=3i,nb_points_total=40i {now}"),
        (f'tsv_parser_run,status=success base_folder="/old",duration_s=2.5,nb_files_failed=0i,nb_files_success=1i,'
        f"nb_files_total=1i,nb_points_total=7i {now + 10**9}"),
        (f"tsv_parser_file,bucket=old,campaign=c,device_master_sn=1,file_name=o.tsv,status=success nb_channels=1i,"
        f"nb_invalid_timestamps=0i,nb_invalid_values=0i,nb_points=7i,nb_rows=7i {now + 10**9}"),
    ]
    for number, status in enumerate(("success", "success", "error,code=bad-meter-file")):
        lines.append(
            f"tsv_parser_file,bucket=acme,campaign=c,device_master_sn=1,file_name=f{number}.tsv,status={status} "
            f"duration_s=0.5,nb_channels=1i,nb_invalid_timestamps=0i,nb_invalid_values=0i,nb_points=20i,nb_rows=10i,"
            f"size_bytes=1000i {now}")
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.mark.parametrize("language", ["flux", "influxql"])
def test_every_panel_answers_and_tenants_people_see_nothing(cluster: Any, tmp_path: Any, language: str) -> None:
    with both(cluster, tmp_path, tier="org", language=language) as made:
        services = made.services
        settings = replace(services.settings, grafana_operators=f"Operators {uuid4().hex[:8]}")
        fleet = fleet_of(
            settings, database=services.database, history=services.history, vault=services.vault,
            influx=services.influx, at=services.workspaces.grafana)
        services.points.meta(points())
        fleet.apply(SYSTEM)
        assert not fleet.plan(SYSTEM)
        state = fleet.state(SYSTEM)
        inside = {"X-Grafana-Org-Id": str(state.organisation)}
        uid = fleet.address(state).rpartition("/")[2].partition("?")[0]
        try:
            board = made.call("GET", f"/api/dashboards/uid/{uid}", "admin", inside).json()["dashboard"]
            figures = {}
            for panel in board["panels"]:
                for target in panel.get("targets", []):
                    [frames] = [answer(made, target, inside)]
                    assert frames and frames[0]["data"]["values"], panel["title"]
                    figures.setdefault(panel["title"], frames)
            for title, figure in {"Files": 4, "Refused": 1, "Tenants": 2, "Size": 3000}.items():
                assert figures[title][0]["data"]["values"][-1] == [figure], title
            assert len(figures["Latest runs"][0]["data"]["values"][0]) == 2
            assert made.call("GET", f"/api/dashboards/uid/{uid}", "alice", inside).status_code == 403
            target = board["panels"][1]["targets"][0]
            body = {"from": "now-1h", "to": "now", "queries": [target]}
            assert made.call("POST", "/api/ds/query", "alice", inside, json=body).status_code == 403
        finally:
            replaced = replace(settings, grafana_operators="-")
            fleet_of(
                replaced, database=services.database, history=services.history, vault=services.vault,
                influx=services.influx, at=services.workspaces.grafana).check()
            made.http.request("DELETE", f"/api/orgs/{state.organisation}", auth=("admin", "admin"))


def answer(made: Any, target: dict[str, Any], inside: dict[str, str]) -> list[Any]:
    asked = {**target, "query": target["query"].replace("${tenant:regex}", ".*"), "intervalMs": 60_000,
             "maxDataPoints": 120}
    body = {"from": "now-1h", "to": "now", "queries": [asked]}
    found = made.call("POST", "/api/ds/query", "admin", inside, json=body).json()["results"][target["refId"]]
    assert "error" not in found, found
    return list(found["frames"])
