"""Where dashboards are: the address of now, and the link that goes on leading there when one has moved.

A message cannot be changed once it is sent, so it carries a link through the portal. What is not here: who may look,
which the page that a link leads to asks.
"""

from dataclasses import replace
from urllib.parse import quote

from belvedere.dashboards import store
from belvedere.dashboards.model import Dashboard
from belvedere.kernel.db import Database
from belvedere.kernel.errors import NotFound


class Addresses:
    """The addresses of this installation's dashboards."""

    def __init__(self, *, database: Database, portal: str, reached: bool) -> None:
        """Take what it needs.

        Args:
            database: the control database.
            portal: the portal's address; put before addresses that are paths of it.
            reached: people reach the portal there, so that links to other places may lead through it.
        """
        self._database = database
        self._portal = portal.rstrip("/")
        self._reached = reached

    def on(self, dashboard: Dashboard) -> Dashboard:
        """Return a dashboard with whole addresses."""
        here = dashboard.url.startswith("/")
        url = self._portal + dashboard.url if here else dashboard.url
        # Where nobody said how people reach the portal, a link through it might lead nowhere.
        link = f"{self._portal}/go/{dashboard.link}" if here or self._reached else url
        return replace(dashboard, url=url, link=link)

    def behind(self, link: str) -> str:
        """Return where the dashboard of a message's link is now: a path of the portal, or an address in a Grafana.

        Nobody is asked who they are: whoever has the message has the link, and what it leads to asks. One that was
        never shown yet has its page in the portal, which says why.

        Args:
            link: the last part of the address that a message carries.

        Raises:
            NotFound: the dashboard is gone, or never was.
        """
        known = link.isascii() and link.isalnum()
        with self._database.transaction() as connection:
            found = store.linked(connection, link) if known else None
        if found is None:
            message = "The dashboard that this link led to is gone: its table was dropped, or its tenant was deleted."
            raise NotFound(message)
        return found.url or f"/tenants/{quote(found.slug)}/dashboards/{found.id}"
