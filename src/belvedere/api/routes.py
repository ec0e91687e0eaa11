"""The one table of routes of this door, from which the rules, the description, the docs and the tests are made."""

from typing import Final

from belvedere.api import (
    adoption,
    campaigns,
    credentials,
    dashboards,
    deliveries,
    fleet,
    installation,
    jobs,
    members,
    people,
    sftp,
    stores,
    templates,
    tenants,
    uploads,
    users,
    workspaces,
)
from belvedere.api.model import Route

ROUTES: Final[tuple[Route, ...]] = (
    *installation.ROUTES,
    *users.ROUTES,
    *credentials.ROUTES,
    *tenants.ROUTES,
    *members.ROUTES,
    *sftp.ROUTES,
    *workspaces.ROUTES,
    *adoption.ROUTES,
    *stores.ROUTES,
    *dashboards.ROUTES,
    *campaigns.ROUTES,
    *uploads.ROUTES,
    *fleet.ROUTES,
    *templates.ROUTES,
    *deliveries.ROUTES,
    *jobs.ROUTES,
    *people.ROUTES,
)
