"""Templates over the API: brought, listed, forgotten, and refused with the field that is wrong."""

from tests.unit.api.conftest import Caller

SOURCE = {"type": "postgres", "uid": "P1"}
MINE = {"title": "Timing of ours", "panels": [
    {"id": 1, "type": "table", "title": "T", "datasource": SOURCE, "targets": [{"refId": "A", "rawSql": "SELECT 1"}]}]}


def test_a_template_comes_and_goes(dana: Caller, viewer: Caller) -> None:
    made = dana("POST", "/templates", json={"dashboard": MINE, "stands_for": "timing-paths"})
    assert (made.status_code, made.json["name"], made.json["chosen"]) == (201, "timing-of-ours", 0)
    assert [one["stands_for"] for one in dana("GET", "/templates").json] == ["timing-paths"]
    assert viewer("GET", "/templates").status_code == 403
    refused = dana("POST", "/templates", json={"dashboard": {"title": "x"}})
    assert (refused.status_code, refused.json["detail"]) == (400, "The dashboard has no panels.")
    assert dana("DELETE", "/templates/timing-of-ours").status_code == 204
    assert dana("DELETE", "/templates/timing-of-ours").status_code == 404
