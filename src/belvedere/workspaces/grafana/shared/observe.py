"""Reads a tenant's team in a shared organisation, and what its folder allows. Changes nothing."""

from typing import Final

from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import Right as RightAnswer
from belvedere.workspaces.grafana.answers import Team, TeamMember, Teams
from belvedere.workspaces.grafana.api import Grafana
from belvedere.workspaces.grafana.model import Right, SeenTeam, WantedTeam
from belvedere.workspaces.grafana.problems import taken

_GONE: Final = 404


def see_team(
    grafana: Grafana, organisation: int, wanted: WantedTeam, number: int, *, people: bool = True
) -> SeenTeam | None:
    """Return the tenant's team, with the people in it unless they are not asked for; `number` is on record, or 0.

    Raises:
        Stuck: somebody else made a team of that name.
    """
    found = find_team(grafana, organisation, wanted, number)
    if found is None:
        return None
    return SeenTeam(found.id, found.name, see_people(grafana, organisation, found.id) if people else {})


def see_people(grafana: Grafana, organisation: int, team: int) -> dict[int, str]:
    """Return the numbers and logins of those in a team, without Belvedere's own."""
    people = grafana.ask(requests.team_members(team), organisation=organisation).read(list[TeamMember])
    own = grafana.access.user.lower()
    return {one.user_id: one.login for one in people if one.login.lower() != own}


def find_team(grafana: Grafana, organisation: int, wanted: WantedTeam, number: int) -> Team | None:
    """Find the team by the number on record or by its name, and only where it bears our mark."""
    if number:
        answer = grafana.ask(requests.team(number), _GONE, organisation=organisation)
        if answer.status != _GONE and answer.read(Team).email == wanted.mark:
            return answer.read(Team)
    listed = grafana.ask(requests.teams_named(wanted.name), organisation=organisation).read(Teams).teams
    same = next((one for one in listed if one.name == wanted.name), None)
    if same is not None and same.email != wanted.mark:
        raise taken(wanted.name, "team")
    return same


def see_rights(grafana: Grafana, organisation: int, folder: str) -> frozenset[Right]:
    """Return what a folder allows to whom; nothing when it is not there."""
    answer = grafana.ask(requests.folder_rights(folder), _GONE, organisation=organisation)
    if answer.status == _GONE:
        return frozenset()
    return frozenset(_right(one) for one in answer.read(list[RightAnswer]) if not one.inherited)


def _right(one: RightAnswer) -> Right:
    if one.role:
        return Right(f"role {one.role}", one.permission)
    return Right(f"team {one.team_id}" if one.team_id else f"user {one.user_id}", one.permission)
