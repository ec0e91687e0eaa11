"""`/adoption`: what other programs made for tenants in the installation's Grafana, and taking it over."""

from typing import Annotated, Final, Literal

import msgspec

from belvedere.api.model import Answer, Call, Route
from belvedere.workspaces.adoption.model import Candidate
from belvedere.workspaces.adoption.service import Choice

MOST_S: Final = 40.0
"""How long one call goes on beginning to take over, in seconds: shorter than what waits for an answer has patience."""

_SHAPES = Literal["", "organisation", "team", "sources"]


class Finds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which finds: of one organisation, of one name, of one program.

    `shape`: an `organisation` of the cost monitor, a `team` of the file service's playbook, the credential manager's
    `sources`. `tenant` tells what would become of the one that is left under that tenant's name.
    """

    organisation: Annotated[int, msgspec.Meta(ge=0)] = 0
    name: str = ""
    shape: _SHAPES = ""
    tenant: str = ""


class Adopt(Finds, frozen=True, forbid_unknown_fields=True):
    """What to take over; nothing named is all of it. `tenant` is the one to link it to, made if there is none."""

    dry_run: bool = False


class ThingView(msgspec.Struct, frozen=True):
    """One object in Grafana; `id` is its uid, or its number where it has no uid."""

    kind: str
    id: str
    title: str


class FindView(msgspec.Struct, frozen=True):
    """Something that was found, and what becomes of it.

    `outcome`: `create` a tenant, `link` it to one, `finish` what was cut off, `done`, or `refused` with `why` and
    `hint`. `taken` says that this call did it; `tenant_id` is then the tenant's number.
    """

    outcome: str
    shape: str
    organisation: int
    organisation_name: str
    found_name: str
    tenant_name: str
    tenant_id: int | None
    people: int
    looked_inside: bool
    objects: list[ThingView]
    why: str
    hint: str
    taken: bool


def view_find(one: Candidate) -> FindView:
    """Render a find."""
    find = one.find
    return FindView(
        one.outcome, find.shape, find.organisation, find.organisation_name, find.name, one.name,
        one.tenant or one.number or None, find.people, find.inside,
        [ThingView(thing.kind, thing.ident, thing.title) for thing in find.things], one.why, one.hint, one.taken,
    )


def found(call: Call[Finds, None]) -> Answer:
    """List what is recognised and what would become of it. Reads the whole Grafana now, and changes nothing."""
    made = call.services.adoption.look(call.actor, _choice(call.query))
    return Answer([view_find(one) for one in made], total=len(made))


def take(call: Call[None, Adopt]) -> Answer:
    """Take over what is not refused, without changing it. After 40 s no other is begun: call again for the rest."""
    adoption, choice = call.services.adoption, _choice(call.body)
    if call.body.dry_run:
        made = adoption.look(call.actor, choice)
    else:
        made = adoption.take(call.actor, choice, within_s=MOST_S)
    return Answer([view_find(one) for one in made], total=len(made))


def _choice(asked: Finds) -> Choice:
    return Choice(asked.organisation, asked.name, asked.tenant, asked.shape)


ROUTES: Final = (
    Route("GET", "/adoption", "adoption.list", "What other programs made in Grafana", found, list[FindView],
          query=Finds, refusals=(400, 403, 404, 502, 503)),
    Route("POST", "/adoption", "adoption.take", "Take over what other programs made", take, list[FindView], body=Adopt,
          refusals=(400, 403, 404, 409, 502, 503)),
)
