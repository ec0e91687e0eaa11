"""A value that cannot print itself. Sealing secrets at rest is `credentials/vault.py`, not here."""

from typing import Final, Never, final

MASK: Final = "••••••••••••"
"""What stands for any secret wherever people look: twelve dots, whatever the length."""


@final
class Secret:
    """A string that shows as a mask in every rendering; `reveal()` is the one way to the value.

    It neither pickles nor formats, so that a secret can reach a log, an error, a template or a
    JSON document only by a call that a reviewer can search for.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        """Wrap `value`."""
        self.__value = value

    def reveal(self) -> str:
        """Return the value itself. Every call is a place that a review looks at."""
        return self.__value

    def __bool__(self) -> bool:
        """Tell whether there is anything in it."""
        return bool(self.__value)

    def __repr__(self) -> str:
        """Never the value."""
        return "Secret(***)"

    def __str__(self) -> str:
        """Never the value."""
        return MASK

    def __format__(self, spec: str) -> str:
        """Never the value."""
        return MASK

    def __eq__(self, other: object) -> bool:
        """Compare two secrets; a secret never equals a plain string."""
        return isinstance(other, Secret) and other.__value == self.__value

    def __hash__(self) -> int:
        """Hash as the value does, for use as a key."""
        return hash((Secret, self.__value))

    def __reduce__(self) -> Never:
        """Refuse to be pickled: a pickle would hold the value in plain."""
        message = "a Secret cannot be pickled"
        raise TypeError(message)
