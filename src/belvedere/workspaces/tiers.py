"""How much of a workspace a tenant has to itself: the tiers, and what each keeps apart."""

from enum import StrEnum


class Tier(StrEnum):
    """Where a tenant looks. Chosen once for each tenant; later only by moving it.

    `viewer`: the built-in pages. `org`: an organisation of its own in a shared Grafana, data and dashboards apart.
    `team`: a team and folder in one shared organisation, dashboards apart and data not. `instance`: a Grafana of its
    own.
    """

    VIEWER = "viewer"
    ORG = "org"
    TEAM = "team"
    INSTANCE = "instance"
