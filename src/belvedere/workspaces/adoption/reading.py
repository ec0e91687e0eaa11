"""Looks through a whole Grafana for what other programs made. Changes nothing."""

from collections.abc import Iterator
from typing import Final

from belvedere.workspaces.adoption import shapes
from belvedere.workspaces.adoption.model import Find, Glimpse, SeenTeams
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import Board, Found, Member, Organisation, Source
from belvedere.workspaces.grafana.api import Grafana

_PAGE: Final = 1000
_GONE: Final = 404


def finds(grafana: Grafana, *, only: int = 0) -> Iterator[Find]:
    """Return all that is recognised, organisation by organisation, or in one of them alone.

    Raises:
        GrafanaAway: it does not answer.
    """
    for one in _organisations(grafana):
        if only and one.id != only:
            continue
        glimpse = look(grafana, one.id)
        if glimpse is None:
            continue
        own = shapes.own_organisation(glimpse)
        if own is not None:
            yield own
            continue
        yield from shapes.teams(glimpse)
        if any(shapes.user_and_kind(source)[1] for source in glimpse.sources):
            yield from shapes.sources(glimpse, _asked(grafana, glimpse))


def look(grafana: Grafana, number: int) -> Glimpse | None:
    """Read one organisation: itself, how many people it has and, where Belvedere is a member, what stands in it."""
    answer = grafana.ask(requests.organisation(number), _GONE)
    if answer.status == _GONE:
        return None
    one = answer.read(Organisation)
    people = grafana.ask(requests.organisation_users(number)).read(list[Member])
    own = grafana.access.user.lower()
    inside = own in {word.lower() for member in people for word in (member.login, member.email)}
    count = sum(member.login.lower() != own for member in people)
    if not inside or not grafana.verify(number):
        return Glimpse(number, one.name, one.address.address1, inside=False, people=count)
    return Glimpse(
        number, one.name, one.address.address1, inside=True, people=count,
        sources=tuple(grafana.ask(requests.sources(), organisation=number).read(list[Source])),
        found=tuple(grafana.ask(requests.search(), organisation=number).read(list[Found])),
        teams=tuple(grafana.ask(requests.all_teams(), organisation=number).read(SeenTeams).teams),
    )


def _organisations(grafana: Grafana) -> Iterator[Organisation]:
    page = 0
    while True:
        listed = grafana.ask(requests.organisations(page)).read(list[Organisation])
        yield from listed
        if len(listed) < _PAGE:
            return
        page += 1


def _asked(grafana: Grafana, glimpse: Glimpse) -> shapes.Asked:
    found = {}
    for one in glimpse.found:
        if one.type == "dash-db":
            answer = grafana.ask(requests.board(one.uid), _GONE, 406, organisation=glimpse.organisation)
            if answer.status not in {_GONE, 406}:
                found[one.uid] = shapes.uids_asked(answer.read(Board).dashboard)
    return found
