"""Recognises what the earlier programs made, by its names. Pure.

- cost monitor: an organisation `Tenant <id> - <name>`;
- file service's playbook: team, folder and data source `influxdb_<company>` in an organisation of many;
- credential manager: PostgreSQL data sources on `<user>-timing_report`, `<user>-QOR`, `<user>-drc`, and dashboards that
  ask them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from belvedere.stores.model import TABLE_KINDS, StoreKind
from belvedere.workspaces.adoption.model import Find, Glimpse, Shape, Thing
from belvedere.workspaces.grafana.answers import Source
from belvedere.workspaces.grafana.document import SAME_TYPE
from belvedere.workspaces.grafana.model import OWN_UID

_ORGANISATION: Final = re.compile(r"Tenant (\d{1,15}) - (.+)")
_INFLUX: Final = "influxdb_"
_KINDS: Final = {kind.value.lower(): kind for kind in TABLE_KINDS}

Asked = Mapping[str, frozenset[str]]
"""The uids of data sources that a dashboard asks, by the dashboard's uid."""


def own_organisation(glimpse: Glimpse) -> Find | None:
    """Return what an organisation of one tenant is, if its name says so. All that stands in it goes with it."""
    matched = _ORGANISATION.fullmatch(" ".join(glimpse.name.split()))
    if matched is None:
        return None
    things = [Thing("organisation", str(glimpse.organisation), glimpse.name)]
    things += [Thing("source", one.uid, one.name) for one in glimpse.sources if not OWN_UID.match(one.uid)]
    things += [
        Thing("folder" if one.type == "dash-folder" else "board", one.uid, one.title) for one in glimpse.found
        if not OWN_UID.match(one.uid)
    ]
    return _find(Shape.ORGANISATION, glimpse, matched.group(2), things, number=int(matched.group(1)))


def teams(glimpse: Glimpse) -> Iterator[Find]:
    """Return the companies of a shared organisation, by their data sources `influxdb_<company>`."""
    for source in glimpse.sources:
        if not source.name.startswith(_INFLUX) or source.type != "influxdb" or source.name == _INFLUX:
            continue
        company = source.name.removeprefix(_INFLUX)
        team = next((one for one in glimpse.teams if one.name.casefold() == company.casefold()), None)
        folder = next((
            one for one in glimpse.found
            if one.type == "dash-folder" and one.title.casefold() == company.casefold()
        ), None)
        things = [Thing("source", source.uid, source.name)]
        lacks = [word for word, one in (("a team", team), ("a folder", folder)) if one is None]
        if team is not None:
            things.append(Thing("team", str(team.id), team.name))
        if folder is not None:
            things.append(Thing("folder", folder.uid, folder.title))
            things += [
                Thing("board", one.uid, one.title) for one in glimpse.found
                if one.type == "dash-db" and one.folder_uid == folder.uid
            ]
        name = team.name if team is not None else company
        yield _find(
            Shape.TEAM, glimpse, name, things, lacks=" and ".join(lacks), mark=team.email if team is not None else ""
        )


def sources(glimpse: Glimpse, asked: Asked) -> Iterator[Find]:
    """Return the users of a credential manager, by the databases that data sources name."""
    users: dict[str, list[tuple[Source, StoreKind]]] = {}
    for source in glimpse.sources:
        user, kind = user_and_kind(source)
        if kind is not None and not OWN_UID.match(source.uid):
            users.setdefault(user, []).append((source, kind))
    for user, theirs in users.items():
        uids = {one.uid for one, _ in theirs}
        things = [Thing("source", one.uid, one.name, kind.value) for one, kind in theirs]
        things += [
            Thing("board", one.uid, one.title) for one in glimpse.found
            if one.type == "dash-db" and asked.get(one.uid, frozenset()) & uids
        ]
        yield _find(Shape.SOURCES, glimpse, user, things)


def user_and_kind(source: Source) -> tuple[str, StoreKind | None]:
    """Return whose database a PostgreSQL data source is on, and which of the three; None when it is none of them."""
    database = str(source.json_data.get("database") or source.database)
    user, _, kind = database.rpartition("-")
    known = _KINDS.get(kind.lower()) if source.type in SAME_TYPE and user else None
    return user, known


def uids_asked(document: object) -> frozenset[str]:
    """Return the uids of all data sources that a dashboard's document names."""
    return frozenset(_uids(document))


def _uids(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        source = value.get("datasource")
        if isinstance(source, Mapping) and isinstance(source.get("uid"), str):
            yield str(source["uid"])
        for one in value.values():
            yield from _uids(one)
    elif isinstance(value, list):
        for one in value:
            yield from _uids(one)


def _find(
    shape: Shape, glimpse: Glimpse, name: str, things: Iterable[Thing], *, number: int = 0, lacks: str = "",
    mark: str | None = None,
) -> Find:
    return Find(
        shape, glimpse.organisation, glimpse.name, name, number, tuple(things), glimpse.people,
        glimpse.mark if mark is None else mark, inside=glimpse.inside, lacks=lacks,
    )
