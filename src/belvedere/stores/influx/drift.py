"""What differs in a tenant's stores, its bucket in an InfluxDB included: one plan for pages and the command line."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from belvedere.kernel.actor import Actor
from belvedere.kernel.plan import Plan
from belvedere.stores.influx.influx import InfluxPoints
from belvedere.stores.points import PointStore


def with_points(found: Plan[Any], points: Sequence[PointStore], actor: Actor, serial: int) -> Plan[Any]:
    """Add to a plan what differs where a tenant's measured values are."""
    for one in points:
        if isinstance(one, InfluxPoints):
            more = one.plan(actor, serial)
            found = replace(
                found, steps=(*found.steps, *more.steps), kept=(*found.kept, *more.kept),
                warnings=(*found.warnings, *more.warnings))
    return found
