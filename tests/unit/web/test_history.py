"""The history's pages: filters in the address, the detail, the chain's marker, the export, a tenant's own."""

import json
import re
from pathlib import Path

import pytest
from tests.unit.web.conftest import ADMIN, Browser

from belvedere.app import Services
from belvedere.kernel.errors import Rejected


@pytest.fixture
def written(services: Services) -> None:
    with services.history.action(ADMIN, "credential.reveal", "alice DB_PASS", tenant=1, reason="ticket 4127"):
        pass
    with pytest.raises(Rejected), services.history.action(ADMIN, "fleet.run", "<img src=x>"):
        raise Rejected


def rows(text: str) -> list[str]:
    return re.findall(r"<code>([a-z-]+\.[a-z-]+)</code></a></td>", text)


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("verb=fleet.run", ["fleet.run"]),
        ("verb=credential", ["credential.reveal"]),
        ("who=dana&result=refused&verb=fleet", ["fleet.run"]),
        ("q=ticket+4127", ["credential.reveal"]),
        ("q=nothing-like-it", []),
        ("target=alice+DB_PASS", ["credential.reveal"]),
        ("range=1h&who=dana&verb=fleet", ["fleet.run"]),
        ("since=2020-01-01T00:00&until=2020-01-02T00:00", []),
    ],
)
def test_filters_stand_in_the_address(dana: Browser, written: None, query: str, seen: list[str]) -> None:
    page = dana.get(f"/history?{query}")
    assert page.status_code == 200
    assert rows(page.text) == seen
    assert "<img src=x>" not in page.text
    if not seen:
        assert "No action matches." in page.text and "Clear filters" in page.text


def test_a_time_that_is_none_is_refused_with_what_would_be_right(dana: Browser) -> None:
    answer = dana.get("/history?since=yesterday")
    assert answer.status_code == 400 and "2026-11-20T14:30" in answer.text


def test_the_detail_stands_beside_the_list_and_has_its_own_address(
    dana: Browser, services: Services, written: None
) -> None:
    action = services.history.search(ADMIN, verb="credential.reveal").items[0]
    page = dana.get(f"/history/{action.id}?verb=credential")
    full = services.history.get(ADMIN, action.id)
    assert full.hash[:16] in page.text and full.before[:16] in page.text and "ticket 4127" in page.text
    assert rows(page.text) == ["credential.reveal"]
    assert dana.get("/history/01900000-0000-7000-8000-000000000000").status_code == 404


def test_the_marker_says_whole_broken_or_not_yet(
    dana: Browser, services: Services, written: None, tmp_path: Path
) -> None:
    assert "Chain not verified yet" in dana.get("/history").text
    answer = dana.post("/history/verify")
    assert answer.status_code == 303
    page = dana.get("/history").text
    assert "Chain verified" in page and "The chain is whole" in page
    [path] = tmp_path.glob("history/*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"ticket 4127", b"ticket 4128"))
    dana.post("/history/verify")
    page = dana.get("/history").text
    assert "Chain broken" in page and path.name in page


def test_those_who_only_look_do_not_verify(vera: Browser, written: None) -> None:
    assert "Verify now" not in vera.get("/history").text
    assert vera.post("/history/verify").status_code == 403


def test_the_export_is_json_lines_of_what_is_filtered(dana: Browser, services: Services, written: None) -> None:
    answer = dana.get("/history/export?verb=credential")
    assert answer.headers["Content-Type"].startswith("application/jsonl")
    assert "attachment" in answer.headers["Content-Disposition"]
    [line] = answer.text.splitlines()
    assert json.loads(line)["arguments"] == {"reason": "ticket 4127"}
    assert services.history.search(ADMIN, verb="history.export").items[0].actor == "dana"


def test_a_tenants_history_is_its_own(dana: Browser, services: Services, written: None) -> None:
    tenant, _ = services.tenants.create(ADMIN, "alice")
    with services.history.action(ADMIN, "key.create", "x", tenant=tenant.serial + 1):
        pass
    verbs = rows(dana.get("/tenants/alice/history").text)
    assert "tenant.create" in verbs or "credential.reveal" in verbs
    assert "key.create" not in verbs and "fleet.run" not in verbs
    assert "/history/export?tenant=alice" in dana.get("/tenants/alice/history").text


def test_many_actions_are_paged_by_key(dana: Browser, services: Services) -> None:
    for number in range(60):
        with services.history.action(ADMIN, "tenant.create", f"t{number}"):
            pass
    page = dana.get("/history?verb=tenant")
    assert len(rows(page.text)) == 50
    following = re.search(r'href="([^"]+)" rel="next"', page.text)[1].replace("&amp;", "&")
    assert len(rows(dana.get(following).text)) == 10
