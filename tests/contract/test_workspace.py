"""What every workspace must do: the built-in viewer, the twin of Grafana, and the real one whose URL is given."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from belvedere.audit.service import FileHistory
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.plan import Plan, Sign
from belvedere.reactions import REACTIONS
from belvedere.tenants.service import Tenants
from belvedere.workspaces.grafana.shared.model import Shared
from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.port import Place, Workspace
from belvedere.workspaces.viewer.workspace import ViewerWorkspace
from grafana_world import REAL, SHARED, access_of, gateway, make, publication

pytestmark = pytest.mark.contract
WHERE = ["twin", *(["real"] if REAL else [])]
TIERS = ["org", "team", "gateway"]


@pytest.fixture(params=["viewer", *(f"{tier} {where}" for tier in TIERS for where in WHERE)])
def workspace(request, database: Database, tmp_path) -> Iterator[Workspace]:
    if request.param == "viewer":
        yield ViewerWorkspace(database=database)
        return
    tier, _, where = request.param.partition(" ")
    transport = TwinGrafana() if where == "twin" else None
    access = access_of(REAL if where == "real" else "http://grafana.test")
    world = make(database, tmp_path, access, transport=transport)
    through = make(database, tmp_path, access, transport=transport, shared=Shared(SHARED, gateway=gateway()))
    yield {"org": world.grafana, "team": world.team, "gateway": through.team}[tier]
    through.close()
    world.close()


@pytest.fixture
def place(workspace: Workspace, database: Database, tmp_path) -> Iterator[Place]:
    """A tenant that leaves nothing: in the organisation that tests share, the next one's data sources have its uids."""
    tenants = Tenants(database=database, history=FileHistory(tmp_path / "history"), queue=JobQueue(database, REACTIONS))
    made, _ = tenants.create(Actor(name="charlie", role=Role.ADMIN), f"alice-{uuid4().hex[:8]}")
    place = Place(made.serial, made.name, made.slug)
    yield place
    apply(workspace, place, workspace.plan(place, wanted=False))


def apply(workspace: Workspace, place: Place, plan: Plan[str]) -> None:
    for step in plan.steps:
        workspace.apply(place, step)


def test_planning_again_after_applying_gives_nothing(workspace: Workspace, place: Place) -> None:
    plan = workspace.plan(place)
    assert plan.steps
    assert {step.sign for step in plan.steps} <= {Sign.CREATE, Sign.CHANGE}
    assert len({step.key for step in plan.steps}) == len(plan.steps)
    apply(workspace, place, plan)
    assert not workspace.plan(place)


def test_planning_changes_nothing(workspace: Workspace, place: Place) -> None:
    assert workspace.plan(place) == workspace.plan(place)


def test_a_step_may_be_applied_twice(workspace: Workspace, place: Place) -> None:
    plan = workspace.plan(place)
    apply(workspace, place, plan)
    apply(workspace, place, plan)
    assert not workspace.plan(place)


def test_removing_leaves_nothing_to_remove(workspace: Workspace, place: Place) -> None:
    assert not workspace.plan(place, wanted=False)
    apply(workspace, place, workspace.plan(place))
    removal = workspace.plan(place, wanted=False)
    assert {step.sign for step in removal.steps} == {Sign.REMOVE}
    apply(workspace, place, removal)
    apply(workspace, place, removal)
    assert not workspace.plan(place, wanted=False)


def test_a_dashboard_keeps_its_address(workspace: Workspace, place: Place) -> None:
    apply(workspace, place, workspace.plan(place))
    one, other = publication(), publication()
    url = workspace.publish(place, one)
    assert workspace.publish(place, one) == url
    assert workspace.publish(place, publication("another title", one.dashboard_id)) == url
    assert workspace.publish(place, other) != url
    assert url.startswith(("/", "https://", "http://"))


def test_retracting_is_safe_to_repeat(workspace: Workspace, place: Place) -> None:
    apply(workspace, place, workspace.plan(place))
    one = publication()
    workspace.publish(place, one)
    workspace.retract(place, one.dashboard_id)
    workspace.retract(place, one.dashboard_id)
    workspace.retract(place, uuid4())
    assert not workspace.plan(place)
