"""Creating, finding, deleting tenants; their API keys; the second fence."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from belvedere.audit.service import FileHistory
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Later, NotFound, Rejected, Stuck
from belvedere.kernel.plan import Plan, Sign, Step
from belvedere.kernel.secret import Secret
from belvedere.tenants.model import StepState, TenantState
from belvedere.tenants.service import Tenants


def _waiting(database: Database) -> set[tuple[str, str]]:
    with database.transaction() as connection:
        found = connection.execute("SELECT task_name, args->>'key' AS key FROM procrastinate_jobs").fetchall()
    return {(row["task_name"], row["key"]) for row in found}


def _plan(*keys: str, sign: Sign = Sign.CREATE) -> Plan[str]:
    return Plan("alice", tuple(Step(key, sign, f"Do {key}", "alice", key) for key in keys))


def test_a_tenant_is_made_with_its_steps_its_job_and_its_history(
    tenants: Tenants, operator: Actor, database: Database, history: FileHistory
) -> None:
    tenant, key = tenants.create(operator, "alice")
    assert (tenant.name, tenant.slug, tenant.state, tenant.created_by) == (
        "alice",
        "alice",
        TenantState.WORKING,
        "charlie",
    )
    assert len(key.reveal()) == 40
    assert int(key.reveal(), 16) >= 0
    assert [step.room for step in tenants.steps(operator, "alice")] == ["stores", "workspaces"]
    assert any(name.endswith("stores.provision") and found == str(tenant.serial) for name, found in _waiting(database))
    assert [(action.verb, action.result) for action in history.search(operator).items] == [
        ("tenant.create", "succeeded")
    ]


def test_twenty_identical_creates_at_once_make_one_tenant_and_nineteen_conflicts(
    tenants: Tenants, operator: Actor
) -> None:
    def create(_: int) -> str:
        try:
            tenants.create(operator, "alice")
        except Conflict:
            return "conflict"
        return "made"

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(create, range(20)))
    assert (results.count("made"), results.count("conflict")) == (1, 19)


@pytest.mark.parametrize(("first", "second"), [("alice", "ALICE"), ("Straße", "STRASSE"), ("a b", "a-b")])
def test_a_name_that_could_be_taken_for_another_is_a_conflict(
    tenants: Tenants, operator: Actor, first: str, second: str
) -> None:
    tenants.create(operator, first)
    with pytest.raises(Conflict):
        tenants.create(operator, second)


def test_names_that_only_share_a_slug_get_numbered_slugs(tenants: Tenants, operator: Actor) -> None:
    assert [tenants.create(operator, name)[0].slug for name in ("日", "本", "a.b", "a_b", "7")] == [
        "tenant",
        "tenant-2",
        "a-b",
        "a-b-2",
        "t-7",
    ]


def test_a_tenant_is_found_by_number_slug_and_name_without_case(tenants: Tenants, operator: Actor) -> None:
    tenant, _ = tenants.create(operator, "Chip Lab")
    for ref in (tenant.serial, str(tenant.serial), "chip-lab", "Chip Lab", "CHIP LAB"):
        assert tenants.get(operator, ref).id == tenant.id
    for ref in (tenant.serial + 1, "chip", "", "9" * 30):
        with pytest.raises(NotFound):
            tenants.get(operator, ref)


def test_the_list_pages_by_key_and_filters(tenants: Tenants, operator: Actor) -> None:
    for name in ("alice", "bob", "charlie"):
        tenants.create(operator, name)
    first = tenants.list(operator, limit=2)
    assert ([tenant.name for tenant in first.items], first.total) == (["alice", "bob"], 3)
    rest = tenants.list(operator, limit=2, after=first.next)
    assert ([tenant.name for tenant in rest.items], rest.next) == (["charlie"], None)
    assert [tenant.name for tenant in tenants.list(operator, text="HAR").items] == ["charlie"]
    assert tenants.list(operator, state="ready").items == []


def test_a_tenants_key_acts_for_that_tenant_only(tenants: Tenants, operator: Actor) -> None:
    alice, key = tenants.create(operator, "alice")
    bob, _ = tenants.create(operator, "bob")
    actor = tenants.actor_for_key(key, "10.0.0.1")
    assert actor is not None
    assert (actor.tenant, actor.role, actor.origin) == (alice.serial, Role.OPERATOR, "10.0.0.1")
    assert tenants.get(actor, alice.serial).name == "alice"
    assert [tenant.name for tenant in tenants.list(actor).items] == ["alice"]
    for forbidden in (
        lambda: tenants.get(actor, bob.serial),
        lambda: tenants.get(actor, "bob"),
        lambda: tenants.steps(actor, "bob"),
        lambda: tenants.create(actor, "carol"),
        lambda: tenants.delete(actor, "bob", confirm="bob"),
    ):
        with pytest.raises(NotFound):
            forbidden()
    assert tenants.actor_for_key(Secret("0" * 40), "") is None


def test_a_rotated_key_ends_the_old_one(tenants: Tenants, operator: Actor) -> None:
    _, old = tenants.create(operator, "alice")
    new = tenants.rotate_key(operator, "alice")
    assert tenants.actor_for_key(old, "") is None
    assert tenants.actor_for_key(new, "") is not None


def test_no_key_is_at_rest(tenants: Tenants, operator: Actor, database: Database) -> None:
    _, key = tenants.create(operator, "alice")
    with database.transaction() as connection:
        row = connection.execute("SELECT tenant::text AS everything FROM tenant").fetchone()
    assert row is not None
    assert key.reveal() not in row["everything"]


def test_deleting_asks_for_the_name_and_purges_at_the_end(
    tenants: Tenants, operator: Actor, database: Database
) -> None:
    tenant, key = tenants.create(operator, "alice")
    with pytest.raises(Rejected):
        tenants.delete(operator, "alice", confirm="bob")
    tenants.purge(tenant.serial)
    assert tenants.get(operator, "alice").state is not TenantState.DELETING
    assert tenants.delete(operator, "alice", confirm="alice").state is TenantState.DELETING
    assert tenants.delete(operator, "alice", confirm="alice", keep_data=True).keep_data
    assert tenants.actor_for_key(key, "") is None
    assert any(name.endswith("intake.remove-tenant") for name, _ in _waiting(database))
    tenants.purge(tenant.serial)
    tenants.purge(tenant.serial)
    with pytest.raises(NotFound):
        tenants.get(operator, "alice")
    assert tenants.create(operator, "alice")[0].serial > tenant.serial


def test_steps_tell_how_far_it_is(tenants: Tenants, operator: Actor) -> None:
    tenant, _ = tenants.create(operator, "alice")
    log, serial = tenants.log, tenant.serial
    log.begin(serial, "stores", _plan("writer", "database"))
    with log.step(serial, "stores", "writer"):
        assert tenants.get(operator, serial).state is TenantState.WORKING
    with pytest.raises(Later), log.room(serial, "stores"), log.step(serial, "stores", "database"):
        msg = "The server is away."
        raise Later(msg, retry_in_s=7)
    waiting = tenants.steps(operator, serial)[1]
    assert (waiting.key, waiting.state, waiting.error) == ("database", StepState.WAITING, "The server is away.")
    assert waiting.next_try_at is not None
    assert tenants.get(operator, serial).state is TenantState.PARTIAL
    log.begin(serial, "stores", _plan("database"))
    with pytest.raises(Stuck), log.room(serial, "stores"), log.step(serial, "stores", "database"):
        msg = "No room on the disk."
        raise Stuck(msg)
    stuck = tenants.get(operator, serial)
    assert (stuck.state, stuck.problem, stuck.steps_done, stuck.steps_total) == (
        TenantState.NEEDS_YOU,
        "No room on the disk.",
        1,
        3,
    )
    log.begin(serial, "stores", _plan())
    log.begin(serial, "workspaces", _plan())
    assert tenants.wait(operator, serial, most_s=1).state is TenantState.READY


def test_an_error_before_any_step_is_written_to_the_first_open_one(tenants: Tenants, operator: Actor) -> None:
    tenant, _ = tenants.create(operator, "alice")
    with pytest.raises(ValueError, match="secret"), tenants.log.room(tenant.serial, "stores"):
        msg = "a secret value"
        raise ValueError(msg)
    first = tenants.steps(operator, "alice")[0]
    assert (first.state, first.error) == (StepState.WAITING, "Something went wrong (ValueError).")


def test_waiting_ends_when_the_tenant_is_ready(tenants: Tenants, operator: Actor) -> None:
    tenant, _ = tenants.create(operator, "alice")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(tenants.wait, operator, tenant.serial, most_s=20)
        for room in ("stores", "workspaces"):
            tenants.log.begin(tenant.serial, room, _plan())
        assert answer.result(20).state is TenantState.READY


def test_a_forgotten_where_shows_no_other_tenant(tenants: Tenants, operator: Actor, database: Database) -> None:
    alice, _ = tenants.create(operator, "alice")
    tenants.create(operator, "bob")
    with database.tenant_transaction(alice.serial) as connection:
        for query in ("SELECT serial AS n FROM tenant", "SELECT DISTINCT tenant_id AS n FROM tenant_step"):
            assert [row["n"] for row in connection.execute(query)] == [alice.serial]
