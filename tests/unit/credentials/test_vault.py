"""Sealing, and where the keys are."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belvedere.credentials.keys import CommandKeys, FileKeys, GivenKeys, source_of
from belvedere.credentials.vault import Vault
from belvedere.kernel.errors import Stuck
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
VAULT = Vault(GivenKeys(Secret(OLD), "test"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(
    value=texts,
    tenant=st.integers(1, 2**62),
    key=st.sampled_from(["DB_PASS", "x.y", "_writer"]),
    version=st.integers(1, 10**6),
)
def test_what_is_sealed_opens_again_for_the_same_place(value: str, tenant: int, key: str, version: int) -> None:
    sealed = VAULT.seal(Secret(value), tenant=tenant, key=key, version=version)
    assert VAULT.open(sealed, tenant=tenant, key=key.lower(), version=version) == Secret(value)
    assert sealed != VAULT.seal(Secret(value), tenant=tenant, key=key, version=version)


@given(value=texts, place=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_changed_bit_anywhere_does_not_open(value: str, place: int, bit: int) -> None:
    sealed = bytearray(VAULT.seal(Secret(value), tenant=1, key="K", version=1))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(Stuck):
        VAULT.open(bytes(sealed), tenant=1, key="K", version=1)


@pytest.mark.parametrize(("tenant", "key", "version"), [(2, "K", 1), (1, "L", 1), (1, "K", 2)])
def test_a_sealed_value_moved_elsewhere_does_not_open(tenant: int, key: str, version: int) -> None:
    sealed = VAULT.seal(Secret("value"), tenant=1, key="K", version=1)
    with pytest.raises(Stuck):
        VAULT.open(sealed, tenant=tenant, key=key, version=version)


@given(st.binary(max_size=80))
def test_rubbish_does_not_open(rubbish: bytes) -> None:
    with pytest.raises(Stuck):
        VAULT.open(rubbish, tenant=1, key="K", version=1)


def test_an_old_key_still_opens_and_the_first_one_seals() -> None:
    sealed = VAULT.seal(Secret("value"), tenant=1, key="K", version=1)
    both = Vault(GivenKeys(Secret(f"{NEW},{OLD}"), "test"))
    assert both.open(sealed, tenant=1, key="K", version=1) == Secret("value")
    assert not both.is_current(sealed)
    with pytest.raises(Stuck, match="not here"):
        Vault(GivenKeys(Secret(NEW), "test")).open(sealed, tenant=1, key="K", version=1)


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master"
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: FileKeys(path).ring(), range(8)))
    assert len({ring[0].id for ring in rings}) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master"
    FileKeys(path).ring()
    path.chmod(mode)
    with pytest.raises(Stuck, match="can read") as refused:
        FileKeys(path).ring()
    assert refused.value.hint == f"Run: chmod 600 {path}"


@pytest.mark.parametrize("text", ["", "short", "not base64 at all!", base64.b64encode(b"x" * 31).decode()])
def test_what_is_not_a_key_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(Stuck) as refused:
        GivenKeys(Secret(text), "BELVEDERE_MASTER_KEY")
    assert not text or text not in refused.value.detail


def test_another_process_sees_a_new_key_at_its_next_use(tmp_path: Path) -> None:
    here, there = FileKeys(tmp_path / "master"), FileKeys(tmp_path / "master")
    first = there.ring()[0]
    assert here.add()
    assert there.ring()[0] != first
    assert there.ring()[1] == first


def test_the_settings_choose_where_the_keys_are(tmp_path: Path) -> None:
    assert Vault(source_of(Settings(master_key=Secret(OLD)))).check() == VAULT.check()
    assert Vault(source_of(Settings(master_key_command=f"echo {OLD}"))).check() == VAULT.check()
    assert isinstance(source_of(Settings(home=str(tmp_path))), FileKeys)
    with pytest.raises(Stuck):
        CommandKeys("false").ring()
    with pytest.raises(Stuck):
        CommandKeys("/does/not/exist").ring()
