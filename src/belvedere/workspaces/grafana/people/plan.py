"""Which of a tenant's members are missing in its organisation, have another role there, or are still in it. Pure.

People whom somebody else put into the organisation are never looked at: they are not ours to take out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from belvedere.kernel.plan import Change, Sign
from belvedere.workspaces.grafana.people.model import JoinedMember, SeenMember, WantedMember


@dataclass(frozen=True, slots=True)
class Move:
    """One difference. Without a `member` the user of this number is to be taken out."""

    sign: Sign
    title: str
    login: str
    number: int = 0
    member: WantedMember | None = None
    changes: tuple[Change, ...] = ()


def moves(
    wanted: Sequence[WantedMember], joined: Iterable[JoinedMember], there: Iterable[SeenMember], administrator: str
) -> Iterator[Move]:
    """Return what differs. The login that Belvedere itself uses keeps its rights, whoever it belongs to."""
    listed = tuple(there)
    numbers = {one.id: one for one in listed}
    for member in wanted:
        seen = numbers.get(member.number) if member.number else _named(member, listed)
        if is_administrator(member, seen, administrator):
            continue
        if seen is None:
            yield Move(Sign.CREATE, "Let the member in", member.login, member.number, member)
            continue
        changes = (Change("role", seen.role, member.role),) if seen.role != member.role else ()
        if not member.joined:
            changes = (*changes, Change("on record", "(none)", "a member"))
        if changes:
            yield Move(Sign.CHANGE, "Change the member", member.login, member.number, member, changes)
    names = {member.login for member in wanted}
    for one in joined:
        if one.login not in names and (one.left_at is None or one.number in numbers):
            yield Move(Sign.REMOVE, "Take the member out", one.login, one.number)


def is_administrator(member: WantedMember, seen: SeenMember | None, administrator: str) -> bool:
    """Tell whether a member is the login that Belvedere uses: taking its rights would lock Belvedere out."""
    if not administrator:
        return False
    return member.is_called(administrator) or (seen is not None and administrator in {seen.login, seen.email})


def _named(member: WantedMember, there: Iterable[SeenMember]) -> SeenMember | None:
    return next((one for one in there if member.is_called(one.login, one.email)), None)
