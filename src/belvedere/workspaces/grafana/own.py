"""A Grafana of the tenant's own, by address and key among its credentials: tier `instance`.

A key of one organisation is enough: nothing of the server itself is touched, and no user is made with it. A login of a
server administrator (`GRAFANA_USER`, `GRAFANA_PASSWORD`) also lets in the tenant's people.
What is not here: when a tenant comes here (`../moves.py`).
"""

import hashlib
from dataclasses import replace
from typing import Any, Final

from belvedere.credentials.service import Credentials
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Stuck
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests, store
from belvedere.workspaces.grafana.access import Access
from belvedere.workspaces.grafana.narrow.looks import Look
from belvedere.workspaces.grafana.observe import given_organisation
from belvedere.workspaces.grafana.workspace import GrafanaWorkspace
from belvedere.workspaces.port import Place
from belvedere.workspaces.tiers import Tier

_URL: Final = "GRAFANA_URL"
_KEY: Final = "GRAFANA_API_KEY"
_USER: Final = "GRAFANA_USER"
_PASSWORD: Final = "GRAFANA_PASSWORD"  # noqa: S105  (a name)
_NAMES: Final = (_URL, _KEY, _USER, _PASSWORD)
_REFUSED: Final = 403
_HINT: Final = (
    "Set GRAFANA_URL and GRAFANA_API_KEY among the tenant's credentials: the key of a service account that is Admin of "
    "its organisation. Or GRAFANA_USER and GRAFANA_PASSWORD of a server administrator."
)
_SAYS: Final = {
    "grafana-login": "The tenant's own Grafana does not know the key, or the login, among the tenant's credentials.",
    "grafana-rights": "The key or login among the tenant's credentials may not make data sources: it must be Admin of "
    "its organisation.",
    "grafana-address": "What answers at the tenant's GRAFANA_URL is not Grafana, or it has another address.",
}


class OwnWorkspace(GrafanaWorkspace):
    """A place in the tenant's own Grafana, checked before anything is written there."""

    def look(self, place: Place, *, wanted: bool = True) -> Look:
        """Do as the other tiers do, after a look at what the key is allowed.

        Raises:
            GrafanaAway: it does not answer.
            Stuck: the key is unknown or allows too little, or the organisation is another tenant's.
        """
        try:
            if wanted:
                self._check(place)
            seen = super().look(place, wanted=wanted)
        except Stuck as error:
            if error.problem in _SAYS:
                raise _unusable(_SAYS[error.problem]) from error
            raise
        return replace(seen, plan=replace(seen.plan, kept=(*seen.plan.kept, *self._left(place)))) if wanted else seen

    def _left(self, place: Place) -> tuple[str, ...]:
        """Name the Grafana that the tenant had before, while its place is still to be made in this one."""
        with self._database.transaction() as connection:
            known = store.place(connection, self._seat(place))
        if known is None or known.url == self.grafana.url:
            return ()
        return (f"what stands in {known.url}, which is not the tenant's Grafana any more",)

    def _check(self, place: Place) -> None:
        organisation = given_organisation(self.grafana, self._looks.on_record(place)[0])
        # Only administrators of the organisation may see its service accounts, and only they make data sources.
        seen = self.grafana.ask(requests.service_accounts("belvedere"), _REFUSED, organisation=organisation.id)
        if seen.status == _REFUSED:
            raise _unusable(_SAYS["grafana-rights"])
        with self._database.transaction() as connection:
            taken = store.stands_in(connection, self.grafana.url, organisation.id, self._seat(place))
        if taken:
            message = f"{organisation.name} in that Grafana is a tenant's workspace already: two in one would mix."
            raise _unusable(message)


class OwnGrafanas:
    """The Grafanas of tenants that have one of their own; connections are kept while the credentials stay."""

    def __init__(
        self, *, database: Database, credentials: Credentials, base: Access, **more: Any  # noqa: ANN401  (handed on)
    ) -> None:
        """Take what it needs; of `base` the certificates and limits count, `more` goes to each workspace."""
        self._database = database
        self._credentials = credentials
        self._base = base
        self._more = more
        self._kept: dict[int, tuple[str, OwnWorkspace]] = {}

    def is_given(self, tenant: int) -> bool:
        """Tell whether somebody gave the tenant an address and a key of its own; what Belvedere wrote is none."""
        with self._database.transaction() as connection:
            return all(self._credentials.source_of(connection, tenant, key) == "hand" for key in (_URL, _KEY))

    def of(self, tenant: int) -> GrafanaWorkspace:
        """Return the tenant's own Grafana. Nothing is called yet.

        Raises:
            Stuck: address or key is missing.
        """
        with self._database.transaction() as connection:
            found = [self._credentials.read_in(connection, tenant, one) for one in _NAMES]
            stamp = ".".join(str(self._credentials.version_of(connection, tenant, one)) for one in _NAMES)
        url, key, user, password = (one or Secret("") for one in found)
        if not url or not (key or (user and password)):
            message = "The tenant is to look at a Grafana of its own, and its credentials hold no address and key."
            raise _unusable(message)
        access = replace(
            self._base, url=url.reveal().rstrip("/"), user="" if key else user.reveal(),
            password=Secret("") if key else password, token=key,
        )
        words = f"{access.url}\0{access.user}\0{key.reveal()}\0{access.password.reveal()}\0{stamp}"
        mark = hashlib.sha256(words.encode()).hexdigest()
        kept = self._kept.get(tenant)
        if kept is None or kept[0] != mark:
            if kept is not None:
                kept[1].close()
            made = OwnWorkspace(
                access=access, database=self._database, credentials=self._credentials, tier=Tier.INSTANCE, stamp=stamp,
                **self._more,
            )
            kept = self._kept[tenant] = (mark, made)
        return kept[1]

    def close(self) -> None:
        """Close all connections."""
        for _, workspace in self._kept.values():
            workspace.close()


def _unusable(message: str) -> Stuck:
    return Stuck(message, code="grafana-own", hint=_HINT)
