"""What the installation says about the organisation that tenants share, and the gateway before their rows.

What is not here: the steps (`plan.py`), and doing them (`hands.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana.deeds import VIEWER
from belvedere.workspaces.grafana.model import ADMINISTER, EDIT, LOOK, Desired, WantedSeat

_RIGHTS: Final = {"Viewer": LOOK, "Editor": EDIT, "Admin": ADMINISTER}

NOT_SEPARATED: Final = (
    "Data are NOT separated: in an organisation that tenants share, every Viewer can send any query to any data "
    "source. Dashboards are. Turn the query gateway on (BELVEDERE_GATEWAY=1), or move the tenant to tier org."
)
"""What is true of tier `team` without the gateway; it stands on the tenant's page and in every plan."""

Carry = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Writes a dashboard for PostgreSQL anew so that its queries go through the gateway."""


class Links(Protocol):
    """Who of the shared Grafana the gateway lets see a tenant's rows."""

    def subjects(self, tenant: int) -> frozenset[str]:
        """Return the subjects that see a tenant's rows, as `user:12` or `service-account:16`."""
        ...

    def link(self, tenant: int, subject: str, *, member: str, login: str = "") -> None:
        """Let a subject see a tenant's rows. Twice does no harm."""
        ...

    def unlink(self, tenant: int, subject: str) -> None:
        """Let it see them no more. One that does not is no error."""
        ...


def capture_subjects(account: int) -> frozenset[str]:
    """Return as whom Grafana says that the service account for previews asks.

    By its token it is a service account; through the image renderer it is a user of the same number (seen on 11.0.0
    with renderer 3.10.5). No person has that number: users and service accounts are counted together.
    """
    return frozenset({f"service-account:{account}", f"user:{account}"})


@dataclass(frozen=True, slots=True)
class QueryGateway:
    """The gateway as data sources and dashboards need to know it.

    `address` is how Grafana reaches it, `header` carries `secret`, by which Grafana proves itself. `uncarry` is the way
    back of `carry`, for a dashboard that moves.
    """

    address: str
    header: str
    secret: Secret
    carry: Carry
    uncarry: Carry
    links: Links


@dataclass(frozen=True, slots=True)
class Shared:
    """The organisation that tenants share: by `name`, made when it is missing, or by the `number` of one that is there.

    Without a gateway the data of its tenants are not separated.
    """

    name: str = "Belvedere"
    number: int = 0
    gateway: QueryGateway | None = None


def seated(desired: Desired) -> Desired:
    """Give the tenant's people their seats in the team.

    In the organisation itself they are Viewers, whatever they may do in their own folder: an Editor of it could look
    into data sources by Explore, and an Admin could undo everything.
    """
    if desired.team is None:
        return desired
    seats = [WantedSeat(one.login, one.login, _RIGHTS.get(one.role, LOOK)) for one in desired.members]
    account = desired.account
    if account is not None and not any(one.is_called(account.login) for one in desired.members):
        seats.append(WantedSeat(account.login, account.login, _RIGHTS.get(account.role, LOOK)))
        account = replace(account, role=VIEWER)
    members = tuple(replace(one, role=VIEWER) for one in desired.members)
    return replace(desired, members=members, account=account, team=replace(desired.team, seats=tuple(seats)))
