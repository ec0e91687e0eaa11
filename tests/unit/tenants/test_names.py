"""Which names a tenant may bear."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belvedere.kernel.errors import Rejected
from belvedere.tenants.names import MOST_BYTES, check_name, name_key, numbered, slug_of


@pytest.mark.parametrize(
    "name", ["alice", "Alice", "chip-lab-2", "a", "x" * 49, "Zoë", "日本", "a b", "O'Hara", 'a"b', "42"]
)
def test_a_name_that_a_database_can_bear_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Enter a name."),
        ("   ", "Enter a name."),
        ("x" * 50, "50 bytes; at most 49."),
        ("ü" * 25, "50 bytes"),
        ("a/b", "slash"),
        ("a\\b", "backslash"),
        ("a:b", "colon"),
        (" a", "blank"),
        ("a ", "blank"),
        (".", "folder"),
        ("..", "folder"),
        ("a\nb", "U+000A"),
        ("a\x00b", "U+0000"),
        ("a\u200bb", "U+200B"),
        ("a\u202eb", "U+202E"),
        ("a\u00a0b", "U+00A0"),
        ("e\u0301", "NFC"),
        ("\ud800", "surrogate"),
    ],
)
def test_another_name_is_refused_with_the_reason(name: str, said: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_name(name)
    assert said in refused.value.detail
    assert refused.value.field == "name"


def test_full_width_letters_are_the_plain_ones() -> None:
    assert name_key("\uff41nna") == name_key("Anna")


@given(st.text(max_size=60))
def test_every_name_is_either_refused_or_fits_a_database_name(name: str) -> None:
    try:
        check_name(name)
    except Rejected as refused:
        assert refused.detail
        return
    assert 1 <= len(name.encode()) <= MOST_BYTES
    assert len(f"{name}-timing_report".encode()) <= 63
    assert unicodedata.normalize("NFC", name) == name
    assert "\x00" not in name
    assert "/" not in name


@given(st.text(max_size=60))
def test_a_slug_is_safe_in_an_address_and_never_a_number(name: str) -> None:
    slug = slug_of(name)
    assert 1 <= len(slug) <= 42
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not slug.isdigit()
    assert numbered(slug, 12).endswith("-12")


@given(st.text(min_size=1, max_size=20))
def test_names_that_differ_by_case_have_one_key(name: str) -> None:
    assert name_key(name) == name_key(name_key(name))
    assert name_key(name.lower()) == name_key(name) or name.lower().casefold() != name.casefold()
