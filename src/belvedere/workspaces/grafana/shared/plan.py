"""What differs between a tenant's team in a shared organisation and what should be there. Pure."""

from belvedere.kernel.plan import Change, Sign
from belvedere.workspaces.grafana.deeds import Deed, Do, Steps, step
from belvedere.workspaces.grafana.model import LOOK, Desired, Observed, Record, Right, WantedSeat, WantedTeam
from belvedere.workspaces.grafana.narrow.aspects import LINKS, RIGHTS, SEATS, IsDue
from belvedere.workspaces.grafana.people.model import SeenMember
from belvedere.workspaces.grafana.shared.model import capture_subjects

_IN, _OUT = "(in the team)", "(not in the team)"
_WORDS = {1: "look", 2: "edit", 4: "administer"}


def plan_team(team: WantedTeam, observed: Observed, record: Record | None) -> Steps:
    """Compare the team itself."""
    seen = observed.team
    if seen is None:
        yield step(Do.TEAM, Sign.CREATE, "Make the team", team.name)
        return
    changes: tuple[Change, ...] = ()
    if seen.name != team.name:
        changes = (Change("name", seen.name, team.name),)
    if record is None or record.number != seen.id:
        changes += (Change("number on record", str(record.number) if record else "(none)", str(seen.id)),)
    if changes:
        deed = Deed(Do.TEAM, number=seen.id)
        yield step(Do.TEAM, Sign.CHANGE, "Change the team", team.name, deed=deed, changes=changes)


def plan_seats(desired: Desired, team: WantedTeam, observed: Observed, is_due: IsDue) -> Steps:
    """Compare who is in the team, what the folder allows to whom, and whom the gateway lets see the tenant's rows."""
    if is_due(SEATS):
        yield from _seats(team, observed)
    if is_due(RIGHTS):
        yield from _folder_rights(desired, team, observed)
    if desired.linked and is_due(LINKS):
        yield from _links(desired, team, observed)


def _seats(team: WantedTeam, observed: Observed) -> Steps:
    """Compare who is in the team.

    It is the key to the tenant's dashboards, so whoever is no member, or no longer, is taken out of it.
    """
    there = {seat.login: find(seat, observed) for seat in team.seats}
    inside = observed.team.people if observed.team else {}
    seated = {seen.id for seen in there.values() if seen is not None}
    changes = tuple(
        Change(login, _OUT, _IN) for login, seen in there.items() if seen is None or seen.id not in inside
    )
    changes += tuple(Change(login, _IN, _OUT) for number, login in inside.items() if number not in seated)
    if changes:
        yield step(Do.SEATS, Sign.CHANGE, "Change who is in the team", team.name, changes=changes)


def _folder_rights(desired: Desired, team: WantedTeam, observed: Observed) -> Steps:
    service = observed.services.get(desired.capture)
    rights = _rights(team, observed, service.id if service else 0)
    if rights is None or rights != observed.rights:
        yield step(
            Do.RIGHTS, Sign.CHANGE, "Let the team alone into the folder", desired.folder_title,
            changes=_told(observed.rights, rights or frozenset()),
        )


def _links(desired: Desired, team: WantedTeam, observed: Observed) -> Steps:
    there = {seat.login: find(seat, observed) for seat in team.seats}
    service = observed.services.get(desired.capture)
    subjects = {f"user:{seen.id}" for seen in there.values() if seen is not None}
    subjects |= capture_subjects(service.id) if service else set()
    left = leavers(desired) & observed.links
    if service is None or None in there.values() or left or not subjects <= observed.links:
        blind, sees = "(sees nothing)", "(sees the tenant's rows)"
        changes = tuple(Change(one, blind, sees) for one in sorted(subjects - observed.links))
        changes += tuple(Change(one, sees, blind) for one in sorted(left))
        yield step(Do.LINKS, Sign.CHANGE, "Let the query gateway know the team's people", team.name, changes=changes)


def leavers(desired: Desired) -> frozenset[str]:
    """Return the subjects of those who were put in once and belong here no more."""
    stay = {one.login for one in desired.members}
    return frozenset(f"user:{one.number}" for one in desired.joined if one.login not in stay)


def find(seat: WantedSeat, observed: Observed) -> SeenMember | None:
    """Find somebody among the organisation's people, by login or address."""
    login = seat.login.lower()
    by_address = (one for one in observed.members.values() if one.email.lower() == login)
    return observed.members.get(login) or next(by_address, None)


def wanted_rights(team: int, people: dict[int, int], service: int) -> frozenset[Right]:
    """Return all that the folder should allow: the team looks, some of its people do more, previews look."""
    rights = {Right(f"team {team}", LOOK)}
    rights |= {Right(f"user {number}", permission) for number, permission in people.items() if permission != LOOK}
    return frozenset(rights | {Right(f"user {service}", LOOK)} if service else rights)


def _rights(team: WantedTeam, observed: Observed, service: int) -> frozenset[Right] | None:
    """Return what the folder should allow; None while somebody is still to be made."""
    if observed.team is None or not service:
        return None
    people = {}
    for seat in team.seats:
        seen = find(seat, observed)
        if seen is None and seat.permission != LOOK:
            return None
        if seen is not None:
            people[seen.id] = seat.permission
    return wanted_rights(observed.team.id, people, service)


def _told(seen: frozenset[Right], wanted: frozenset[Right]) -> tuple[Change, ...]:
    old, new = dict(seen), dict(wanted)
    return tuple(
        Change(whom, _WORDS.get(old.get(whom, 0), "(nothing)"), _WORDS.get(new.get(whom, 0), "(nothing)"))
        for whom in sorted({*old, *new}) if old.get(whom) != new.get(whom)
    )
