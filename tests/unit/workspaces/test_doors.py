"""Workspaces at all doors, over one installation whose Grafana is the twin behind a socket."""

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from belvedere.inventory.model import HEADER, harmless
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.errors import Later
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from grafana_doors import Command, World, commands, doors


@pytest.fixture(scope="module")
def world(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with doors(cluster, tmp_path_factory.mktemp("doors"), "control_doors") as made:
        made.services.members.add(SYSTEM, made.alice, "olga@example.org", name="=1+1")
        made.work()
        yield made


@pytest.fixture
def belvedere(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return commands(world, monkeypatch, capfd)


@pytest.fixture
def settled(world: World) -> Iterator[World]:
    """A world in which nothing differs, before and after."""
    yield world
    with world.services.database.transaction() as connection:
        connection.execute("UPDATE grafana_object SET state = 'restore' WHERE kind = 'board' AND state <> 'ours'")
    world.work()


def test_a_plan_is_printed_as_people_know_it_and_says_by_its_code_that_there_is_something_to_do(
    settled: World, belvedere
) -> None:
    assert belvedere("workspace", "plan", "alice", "--detailed-exitcode")[:2] == (0, "alice: nothing to do.\n")
    settled.rename_source()
    code, out, _ = belvedere("workspace", "plan", "alice", "--detailed-exitcode")
    assert code == 3
    assert out == (
        "alice: 0 to create, 1 to change, 0 to remove.\n  ~ Change the data source alice-timing_report\n"
        "      name: other -> alice-timing_report\n"
    )
    code, out, _ = belvedere("workspace", "plan", "--all", "--json")
    made = json.loads(out)
    assert (code, made["change"], made["failed"]) == (0, 1, 0)
    assert made["items"][0]["plan"]["steps"][0]["changes"] == [
        {"field": "name", "old": "other", "new": "alice-timing_report"}]
    assert belvedere("workspace", "plan", "--all")[1].splitlines()[-1] == (
        "1 tenants: 0 to create, 1 to change, 0 to remove.")
    assert belvedere("workspace", "plan")[0] == 2
    assert belvedere("workspace", "plan", "alice", "--all")[0] == 2


def test_applying_waits_tells_what_happened_and_leaves_nothing_to_do(
    settled: World, belvedere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("belvedere.cli.workspace.runner_works", lambda _built: True)
    settled.rename_source()
    runner = threading.Thread(target=settled.work_when_asked)
    runner.start()
    code, out, err = belvedere("workspace", "apply", "alice", "--wait", "30")
    runner.join()
    assert (code, out) == (0, "alice: + ready, nothing differs.\n")
    assert "alice: ~ Change the data source alice-timing_report: done" in err
    assert belvedere("workspace", "plan", "alice", "--detailed-exitcode")[0] == 0


def test_a_password_that_changes_is_never_printed(settled: World, belvedere) -> None:
    with settled.services.database.transaction() as connection:
        connection.execute("UPDATE grafana_object SET digests = '{x}' WHERE kind = 'source'")
    _, out, _ = belvedere("workspace", "plan", "alice")
    assert out.count("password: (another or unknown) -> (secret)") == 3


def test_a_dashboard_changed_by_hand_waits_for_a_choice_at_every_door(settled: World, belvedere) -> None:
    settled.meddle()
    settled.work()
    ident = str(settled.dashboard)
    shown = belvedere("workspace", "show", "alice")[1]
    assert "! drifted" in shown
    assert "-> Mine now" in shown
    assert f"belvedere workspace resolve {ident} --keep-theirs" in shown
    [listed] = settled.api("GET", "/drift").json
    assert (listed["name"], listed["state"], listed["differences"][0]["dashboard"]) == ("alice", "drifted", ident)
    assert settled.api("GET", "/drift").headers["X-Total-Count"] == "1"
    assert json.loads(belvedere("workspace", "list", "--drifted", "--json")[1])["items"][0]["name"] == "alice"
    assert belvedere("workspace", "resolve", ident)[0] == 2
    answer = settled.api("POST", f"/dashboards/{ident}/resolve", {"choice": "mine"})
    assert (answer.status_code, answer.json["field"]) == (400, "choice")
    once = {"Idempotency-Key": "choose-1"}
    assert settled.api("POST", f"/dashboards/{ident}/resolve", {"choice": "ours"}, **once).status_code == 202
    again = settled.api("POST", f"/dashboards/{ident}/resolve", {"choice": "ours"}, **once)
    assert again.headers["Idempotency-Replayed"] == "true"
    settled.work()
    assert settled.ask(requests.board(f"b{settled.dashboard.hex}"))["dashboard"]["title"] != "Mine now"
    assert settled.api("GET", "/drift").json == []
    settled.meddle("Mine again")
    settled.work()
    assert belvedere("workspace", "resolve", ident, "--keep-theirs")[0] == 0
    settled.work()
    assert settled.ask(requests.board(f"b{settled.dashboard.hex}"))["dashboard"]["title"] == "Mine again"
    assert settled.api("GET", "/tenants/alice/workspace").json["state"] == "ready"


def test_a_grafana_that_is_away_is_a_state_at_every_door_and_no_crash(settled: World, belvedere) -> None:
    settled.server.down = True
    try:
        code, _, err = belvedere("workspace", "plan", "alice")
        assert (code, "Grafana" in err) == (75, True)
        code, out, err = belvedere("workspace", "plan", "--all", "--json")
        assert (code, json.loads(out)["items"][0]["problem"]) == (75, "grafana-away")
        answer = settled.api("GET", "/tenants/alice/workspace/plan")
        assert (answer.status_code, answer.json["type"]) == (503, "/problems/grafana-away")
        with pytest.raises(Later):
            settled.work()
        state = settled.api("GET", "/tenants/alice/workspace").json
        assert (state["state"], state["problem_type"]) == ("waiting", "/problems/grafana-away")
        assert json.loads(belvedere("tenant", "list", "--json")[1])["items"][0]["workspace"] == "waiting"
        assert "grafana-away" in belvedere("workspace", "show", "alice")[1]
    finally:
        settled.server.down = False
    settled.work()
    assert "ready" in belvedere("workspace", "show", "alice")[1]
    tenant = settled.api("GET", "/tenants/alice").json
    assert (tenant["tier"], tenant["workspace"]) == ("org", "ready")


def test_the_organisation_tool_speaks_as_before(settled: World, belvedere) -> None:
    number = str(settled.organisation)
    found = {one["id"]: one for one in json.loads(belvedere("grafana", "list-orgs", "--json")[1])["items"]}
    assert found[int(number)]["tenant"] == settled.alice
    assert found[1]["tenant"] is None
    code, out, _ = belvedere("grafana", "add-user", "--org-id", number, "--email", "bob@example.org", "--role=Editor")
    assert (code, out.splitlines()[0]) == (0, "bob@example.org is editor of alice.")
    assert "viewer of alice" in belvedere(
        "grafana", "add-user", "--org-id", number, "--email", "bob@example.org", "--role", "Viewer")[1]
    assert belvedere("grafana", "add-user", "--org-id", "1", "--email", "bob@example.org")[0] == 2
    assert belvedere("grafana", "create-org", "--tenant-id", str(settled.alice), "--tenant-name", "bob")[0] == 2
    said = belvedere(
        "grafana", "create-org", "--tenant-id", str(settled.alice), "--tenant-name", "alice", "--wait", "0", "--json")
    assert json.loads(said[1])["organisation"] == int(number)
    assert belvedere("grafana", "sync-all")[0] == 0
    code, _, err = belvedere("grafana", "delete-org", "--org-id", "1")
    assert (code, "not one tenant's alone" in err) == (2, True)


def test_the_first_password_is_handed_over_once(settled: World, belvedere) -> None:
    assert "Take first password" in settled.get("/tenants/alice/workspace").text
    code, out, _ = belvedere("workspace", "password", "alice", "--json")
    made = json.loads(out)
    assert (code, made["login"]) == (0, "user_alice")
    assert len(made["password"]) > 20
    assert belvedere("workspace", "password", "alice")[0] == 2
    again = settled.api("POST", "/tenants/alice/workspace/password")
    assert (again.status_code, again.json["type"]) == (409, "/problems/handed-over")
    page = settled.get("/tenants/alice/workspace").text
    assert "Take first password" not in page and "Its first password was taken" in page
    refused = settled.post("/tenants/alice/workspace/password")
    assert (refused.status_code, "handed over before" in refused.text) == (409, True)


def test_a_members_first_password_is_handed_over_once_and_offered_no_more(settled: World, belvedere) -> None:
    page = "/tenants/alice/members"
    ann = settled.join("ann@example.org", Role.ADMIN)
    vera = settled.join("vera@example.org", Role.VIEWER)
    settled.work()
    shown = settled.get(page).text
    offered = set(re.findall(r'Take first password<span class="sr"> of ([^<]+)<', shown))
    assert {"=1+1", "ann", "vera"} <= offered
    # An admin of the tenant sees that they wait, and takes nobody's but the own.
    admins = ann.client.get(page).text
    assert admins.count("Take first password") == 1
    assert "vera or an operator takes it" in admins
    assert ann.post(f"{page}/{vera.person}/password").status_code == 403
    assert vera.client.get(page).text.count("Take first password") == 1
    assert "olga" not in vera.client.get(page, headers={"HX-Request": "true", "HX-Target": "first-passwords"}).text
    taken = vera.post(f"{page}/{vera.person}/password")
    assert (taken.status_code, taken.headers["Cache-Control"]) == (200, "no-store")
    found = re.search(r'<code id="first-password">([^<]+)</code>', taken.text)
    grafana = settled.services.workspaces.grafana
    assert found is not None and grafana is not None
    assert grafana.grafana.is_login("vera@example.org", Secret(found[1]))
    assert "Take first password" not in vera.client.get(page).text
    assert found[1] not in vera.client.get(page).text
    again = vera.post(f"{page}/{vera.person}/password")
    assert (again.status_code, "handed over before" in again.text) == (409, True)

    path = "/tenants/alice/members/olga@example.org/password"
    answer = settled.api("POST", path)
    assert (answer.status_code, answer.json["login"]) == (200, "olga@example.org")
    assert grafana.grafana.is_login("olga@example.org", Secret(answer.json["password"]))
    again = settled.api("POST", path)
    assert (again.status_code, again.json["type"]) == (409, "/problems/handed-over")
    assert settled.api("POST", "/tenants/alice/members/nobody@example.org/password").status_code == 404
    assert belvedere("member", "take-password", "alice", "olga@example.org")[0] == 2
    said = settled.services.history.search(SYSTEM, limit=50).items
    assert sum(one.verb == "workspace.take-member-password" for one in said) >= 4
    assert not any(found[1] in str(one) or answer.json["password"] in str(one) for one in said)


def test_an_inventory_tells_all_that_a_tenant_has_and_computes_nothing(settled: World, belvedere) -> None:
    made = settled.api("GET", "/tenants/alice/inventory").json
    kinds = [one["kind"] for one in made["entries"]]
    assert {"organisation", "folder", "data source", "dashboard", "member"} <= set(kinds)
    assert kinds.count("data source") == 3
    assert settled.api("GET", "/inventory").json == [made]
    assert json.loads(belvedere("workspace", "inventory", "alice", "--json")[1]) == made
    code, out, _ = belvedere("workspace", "inventory", "--all", "--csv")
    lines = list(csv.reader(io.StringIO(out)))
    assert (code, tuple(lines[0]), len(lines)) == (0, HEADER, len(made["entries"]) + 1)
    assert ["'=1+1", "olga@example.org"] in [[line[4], line[6]] for line in lines]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", " =1", "\uff1d1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert harmless("alice-QOR") == "alice-QOR"


def test_the_pages_tell_what_differs_offer_the_choices_and_live_on_without_grafana(settled: World) -> None:
    page = "/tenants/alice/workspace"
    assert "Nothing differs from what should be." in settled.get(page).text
    assert "No drift" in settled.get("/drift").text
    settled.rename_source()
    planned = settled.get(f"{page}/plan").text
    assert "0 to create, 1 to change, 0 to remove" in planned
    assert "<del>other</del>" in planned
    assert "Apply 1 step" in planned
    settled.meddle()
    settled.work()
    shown = settled.get(page).text
    assert "<ins>Mine now</ins>" in shown
    assert all(f'value="{choice}"' in shown for choice in ("theirs", "ours", "template"))
    assert "Change the data source" in shown, "what was repaired"
    part = settled.get(page, HX_Request="true", HX_Target="by-hand")
    assert part.text.lstrip().startswith('<section id="by-hand"')
    assert "1 workspace differs" in settled.get("/drift").text
    assert "1 dashboard changed in Grafana by hand" in settled.get("/").text
    path = f"{page}/dashboards/{settled.dashboard}"
    assert settled.post(path, choice="burn").status_code == 400
    settled.server.down = True
    try:
        away = settled.get(f"{page}/plan")
        assert (away.status_code, "Grafana does not answer" in away.text) == (200, True)
        with pytest.raises(Later):
            settled.work()
        for at in (page, "/drift", "/tenants/alice", "/tenants", "/tenants/alice/inventory", "/"):
            assert settled.get(at).status_code == 200
        assert "Grafana does not answer" in settled.get(page).text
    finally:
        settled.server.down = False
    assert settled.post(path, choice="template").status_code == 303
    settled.work()
    assert "Nothing differs from what should be." in settled.get(page).text
    assert settled.ask(requests.board(f"b{settled.dashboard.hex}"))["dashboard"]["title"].startswith("Mine now")


def test_an_emptied_grafana_is_made_anew_and_told(settled: World) -> None:
    twin = settled.server.twin
    for number in [one for one in twin.organisations if one != 1]:
        del twin.organisations[number]
    for number in [one for one in twin.users if one != 1]:
        del twin.users[number]
    assert settled.get("/tenants/alice/workspace/plan").status_code == 200
    settled.work()
    assert "Make the organisation" in settled.get("/drift").text
    assert settled.get("/tenants/alice/workspace").status_code == 200
    assert settled.services.drift.state(SYSTEM, settled.alice).word == "ready"


def test_an_inventory_is_handed_out_as_files(settled: World) -> None:
    for path, kind in (("/tenants/alice/inventory", "csv"), ("/inventory", "csv"), ("/inventory", "json")):
        answer = settled.get(f"{path}.{kind}")
        assert answer.status_code == 200
        assert f".{kind}" in answer.headers["Content-Disposition"]
    assert "'=1+1" in settled.get("/tenants/alice/inventory.csv").text
    assert settled.get("/tenants/alice/inventory.json").json["name"] == "alice"
    assert "alice-QOR" in settled.get("/tenants/alice/inventory").text
