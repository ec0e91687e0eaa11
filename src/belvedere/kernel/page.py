"""A page of a long list, by key: the next page starts after the last item of this one."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, the key after which the next page starts (None at the end), and how many there are in all."""

    items: list[Item]
    next: str | None = None
    total: int | None = None
