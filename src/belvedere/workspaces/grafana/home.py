"""The login's current organisation: where a person who follows a link with the administrator's login takes it.

Seen on 11.0.0: Grafana does not delete the organisation that is the login's current one (400), and when that one is
gone otherwise, calls about users are refused (403) although the login may make them. Another organisation that the
login is a member of cures both. What is not here: other people's current organisation (`accounts.py`).
"""

from typing import Final, Protocol, TypeVar

from belvedere.kernel.errors import Stuck
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import CurrentUser, Membership
from belvedere.workspaces.grafana.requests import Request

T = TypeVar("T")

_OK: Final = 200
_BAD: Final = 400
_FORBIDDEN: Final = 403
_ORGANISATIONS: Final = "/api/orgs/"


class Answer(Protocol):
    """What came back."""

    @property
    def status(self) -> int:
        """The status."""
        ...

    def read(self, kind: type[T]) -> T:
        """Read the body."""
        ...


class Asked(Protocol):
    """A Grafana that can be asked."""

    def ask(self, request: Request, *accept: int, organisation: int = 0) -> Answer:
        """Send a request and return its answer."""
        ...


def is_in_the_way(request: Request, status: int, said: str) -> bool:
    """Tell whether the login's current organisation may be why a call was refused."""
    if request.path == "/api/user" or request.path.startswith("/api/user/"):
        return False
    return (status == _BAD and "current user" in said) or (status == _FORBIDDEN and "quota" not in said.lower())


def doomed(request: Request) -> int:
    """Return the number of the organisation that a request deletes; 0 for any other request."""
    number = request.path.removeprefix(_ORGANISATIONS)
    return int(number) if request.method == "DELETE" and number != request.path and number.isdecimal() else 0


def move(grafana: Asked, leaving: int = 0) -> bool:
    """Make another organisation the current one, if it is `leaving` or is gone; False when it is not in the way.

    Raises:
        Stuck: the login is a member of no other organisation.
    """
    now = grafana.ask(requests.current_user()).read(CurrentUser).org_id
    homes = sorted(one.org_id for one in grafana.ask(requests.own_organisations()).read(list[Membership]))
    if now in homes and now != leaving:
        return False
    for other in homes:
        # 401: it was taken out of that one, or that one went, in this very moment.
        if other != leaving and grafana.ask(requests.use_own(other), _BAD, 401, 404).status == _OK:
            return True
    message = "Grafana's current organisation of the login that Belvedere uses is gone or to be deleted."
    hint = "Make that login a member of another organisation in Grafana, then try again."
    raise Stuck(message, code="grafana-rights", hint=hint)
