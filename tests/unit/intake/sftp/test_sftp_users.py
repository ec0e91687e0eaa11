"""A tenant's SFTP users: who may make them, what is refused, and that every change stands in the history."""

import pytest

from belvedere.audit.service import FileHistory
from belvedere.intake.sftp.keys import parse
from belvedere.intake.sftp.model import Change, Permission
from belvedere.intake.sftp.rules import size
from belvedere.intake.sftp.service import SftpUsers
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, Forbidden, NotFound, Rejected
from belvedere.kernel.secret import Secret
from belvedere.tenants.service import Tenants

ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5Gh3rT0c2vQ4mMy8mFz1r3S9qhE0yB4ZlXmVb0l8Yk alice@laptop"


@pytest.fixture
def users(database: Database, tmp_path) -> SftpUsers:
    history = FileHistory(tmp_path / "history")
    queue = JobQueue(database, {})
    tenants = Tenants(database=database, history=history, queue=queue)
    made = SftpUsers(database=database, history=history, queue=queue, tenants=tenants)
    for name in ("acme", "charlie"):
        tenants.create(SYSTEM, name)
    yield made
    history.close()


def member(role: Role, tenant: int) -> Actor:
    return Actor(f"{role}@example.org", role, tenant, door="portal")


def verbs(users: SftpUsers) -> list[str]:
    return [one.verb for one in users._history.search(SYSTEM, limit=50).items]


def test_a_tenants_default_user_has_its_name_and_a_password_shown_once(users):
    made = users.add(SYSTEM, 1)
    assert (made.user.name, made.user.home, made.user.permissions) == ("acme", "acme", tuple(Permission))
    assert made.password is not None
    kept = users.everybody()[0].password_hash
    assert kept is not None and kept.startswith("$argon2id$") and made.password.reveal() not in kept
    again = users.reset_password(SYSTEM, 1, "acme")
    assert again.password != made.password
    assert users.everybody()[0].password_hash != kept
    with pytest.raises(Conflict, match="taken"):
        users.add(SYSTEM, 1)
    assert {"sftp-user.add", "sftp-user.password"} <= set(verbs(users))


def test_a_user_with_a_key_needs_no_password(users):
    made = users.add(SYSTEM, 1, key=ED, folder="/lab//one/")
    assert made.password is None and not made.user.has_password
    assert made.user.home == "acme/lab/one"
    assert [key.comment for key in made.user.keys] == ["alice@laptop"]
    key = made.user.keys[0].fingerprint
    with pytest.raises(Conflict, match="Nothing else"):
        users.remove_key(SYSTEM, 1, "acme", key)
    with pytest.raises(Conflict, match="already"):
        users.add_key(SYSTEM, 1, "acme", ED)
    users.reset_password(SYSTEM, 1, "acme", Secret("a fine november word"))
    assert users.remove_key(SYSTEM, 1, "acme", key.removeprefix("SHA256:")).keys == ()
    with pytest.raises(NotFound):
        users.remove_key(SYSTEM, 1, "acme", key)
    with pytest.raises(Conflict, match="no key"):
        users.forget_password(SYSTEM, 1, "acme")


def test_admins_and_owners_manage_their_own_tenants_users_and_nobody_elses(users):
    users.add(SYSTEM, 1)
    for role in (Role.VIEWER, Role.EDITOR):
        assert [one.name for one in users.list(member(role, 1), 1)] == ["acme"]
        with pytest.raises(Forbidden):
            users.add(member(role, 1), 1, name="acme-two")
        with pytest.raises(Forbidden):
            users.set_disabled(member(role, 1), 1, "acme", disabled=True)
    owner = member(Role.OWNER, 1)
    assert users.add(owner, 1, name="acme.lab").user.tenant == 1
    for deed in (
        lambda: users.list(owner, 2), lambda: users.add(owner, 2), lambda: users.get(owner, 2, "charlie"),
        lambda: users.remove(owner, 2, "charlie"), lambda: users.add_key(owner, 2, "charlie", ED),
        lambda: users.get(owner, 1, "charlie"),
    ):
        with pytest.raises(NotFound):
            deed()
    with pytest.raises(Rejected, match="Begin it"):
        users.add(owner, 1, name="charlie-lab")
    with pytest.raises(Conflict):
        users.add(SYSTEM, 1, name="charlie")


def test_a_user_is_changed_switched_off_and_removed(users):
    users.add(SYSTEM, 1)
    changed = users.change(SYSTEM, 1, "ACME", Change(permissions=["upload", "read"], quota_bytes=size("2G")))
    assert changed.permissions == (Permission.READ, Permission.UPLOAD)
    assert (changed.quota_bytes, changed.quota_files) == (2_000_000_000, 0)
    assert users.set_disabled(SYSTEM, 1, "acme", disabled=True).disabled_at is not None
    assert users.set_disabled(SYSTEM, 1, "acme", disabled=False).disabled_at is None
    users.remove(SYSTEM, 1, "acme")
    assert users.list(SYSTEM, 1) == []
    with pytest.raises(NotFound):
        users.get(SYSTEM, 1, "acme")


@pytest.mark.parametrize("name", ["a b", "-rf", "a/b", "a:b", ".ssh", "x" * 101, "a\nb", "a@b"])
def test_names_that_are_no_logins_are_refused(users, name):
    with pytest.raises(Rejected):
        users.add(SYSTEM, 1, name=name)


@pytest.mark.parametrize("folder", ["..", "a/../b", "a/./b", ".belvedere-x", "a\x00b", "a\\b", "/".join("abcdefghi")])
def test_folders_that_lead_elsewhere_are_refused(users, folder):
    with pytest.raises(Rejected):
        users.add(SYSTEM, 1, folder=folder)


def test_sizes_are_read_as_people_write_them():
    assert [size(text) for text in ("", "0", "10", "5k", "50 GB", "4GiB")] == [0, 0, 10, 5000, 50 * 10**9, 4 * 2**30]
    with pytest.raises(Rejected):
        size("many")


@pytest.mark.parametrize(("text", "why"), [
    ("", "one line"), (ED + "\n" + ED, "one line"), ("hello", "no public key"), ("ssh-ed25519 AAAA!", "damaged"),
    ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "damaged"), ("ssh-dss AAAAB3NzaC1kc3MAAA== x", "not taken"),
    (f'command="sh" {ED}', "options"), ("-----BEGIN OPENSSH " + "PRIVATE KEY-----", "private"),
])
def test_what_is_no_key_is_refused_with_the_reason(text, why):
    with pytest.raises(Rejected, match=why):
        parse(text)


def test_keys_of_each_kind_are_taken_and_short_ones_are_not():
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    def line(private) -> str:
        return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    kept = parse(line(ed25519.Ed25519PrivateKey.generate()) + "  bob\u202e at\x07work ")
    assert (kept.bits, kept.comment) == (256, "")
    assert parse(line(ec.generate_private_key(ec.SECP384R1()))).bits == 384
    assert parse(line(rsa.generate_private_key(65537, 2048))).bits == 2048
    with pytest.raises(Rejected, match="1024 bits"):
        parse(line(rsa.generate_private_key(65537, 1024)))  # noqa: S505  (too short on purpose)
