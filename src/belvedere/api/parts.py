"""What several nouns of this door share: ids in paths, a sentence as an answer."""

from uuid import UUID

import msgspec

from belvedere.kernel.errors import NotFound


class Message(msgspec.Struct, frozen=True):
    """A sentence about what was done."""

    message: str


class FirstPassword(msgspec.Struct, frozen=True):
    """Login and first password of a user that Belvedere made in Grafana, shown this once."""

    login: str
    password: str


def uuid_of(text: str) -> UUID:
    """Read an id in a path; what is none is not found."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def number_of(text: str) -> int:
    """Read a number in a path; what is none is not found."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004  (fits a bigint)
        raise NotFound
    return int(text)
