"""What differs between a tenant's place in an InfluxDB and what should be there, and the steps that mend it. Pure.

`influx.py` observes and applies. A plan made after its own steps were applied is empty.
"""

from dataclasses import dataclass
from enum import StrEnum

from belvedere.kernel.plan import Change, Plan, Sign, Step
from belvedere.stores.influx.model import Desired, Observed, Purpose, SeenBucket, SeenToken


class Do(StrEnum):
    """The deeds that `influx.py` can apply."""

    BUCKET = "bucket"
    MARK = "mark"
    TOKEN = "token"  # noqa: S105  (the name of a deed)
    MAP = "map"
    DROP_TOKEN = "drop-token"  # noqa: S105  (same)
    DROP_BUCKET = "drop-bucket"


@dataclass(frozen=True, slots=True)
class Deed:
    """What to do, for which token, and with which one that is to go."""

    do: Do
    purpose: Purpose | None = None
    old: str = ""


def plan(desired: Desired, observed: Observed) -> Plan[Deed]:
    """Return the steps from what is to what should be."""
    bucket = observed.bucket
    steps: list[Step[Deed]] = []
    if bucket is None:
        steps.append(Step("influx.bucket", Sign.CREATE, "Make the bucket", desired.bucket, Deed(Do.BUCKET)))
    elif bucket.mark != desired.mark:
        steps.append(
            Step("influx.mark", Sign.CHANGE, "Take over the bucket", desired.bucket, Deed(Do.MARK),
                 (Change("description", bucket.mark or "(none)", desired.mark),))
        )
    for purpose in desired.purposes:
        seen = observed.tokens.get(purpose)
        if seen is None or bucket is None or not is_right(seen, purpose, bucket):
            deed = Deed(Do.TOKEN, purpose, seen.number if seen else "")
            sign = Sign.CHANGE if seen else Sign.CREATE
            steps.append(Step(f"influx.token.{purpose}", sign, f"Make the token that may {said(purpose)}",
                              desired.bucket, deed))
    if desired.influxql and not (observed.mapped and bucket is not None):
        steps.append(Step("influx.map", Sign.CREATE, "Name the bucket for InfluxQL", desired.bucket, Deed(Do.MAP)))
    return Plan(desired.tenant, tuple(steps), warnings=_warnings(bucket))


def removal(desired: Desired, observed: Observed, *, keep_data: bool) -> Plan[Deed]:
    """Return the steps that close a tenant's bucket to everybody, and delete it unless its data are kept.

    A bucket that is not marked as ours stays.
    """
    steps = [
        Step(f"influx.drop.{purpose}", Sign.REMOVE, f"Delete the token that may {said(purpose)}", desired.bucket,
             Deed(Do.DROP_TOKEN, purpose, seen.number))
        for purpose, seen in observed.tokens.items()
    ]
    bucket = observed.bucket
    ours = bucket is not None and bucket.mark == desired.mark
    if bucket is not None and ours and not keep_data:
        steps.append(
            Step("influx.drop.bucket", Sign.REMOVE, "Delete the bucket", desired.bucket,
                 Deed(Do.DROP_BUCKET, old=bucket.number))
        )
    kept = (f"bucket {desired.bucket}",) if bucket is not None and not ours else ()
    return Plan(desired.tenant, tuple(steps), kept=kept)


def is_foreign(desired: Desired, observed: Observed) -> bool:
    """Tell whether the bucket of that name is another tenant's or another installation's."""
    bucket = observed.bucket
    return bucket is not None and bucket.mark.startswith("belvedere ") and bucket.mark != desired.mark


def is_right(seen: SeenToken, purpose: Purpose, bucket: SeenBucket) -> bool:
    """Tell whether a token works and reaches this bucket as it should, and nothing else."""
    return seen.active and seen.reaches == frozenset((action, bucket.number) for action in purpose.actions)


def said(purpose: Purpose) -> str:
    """Say what a token may do."""
    return " and ".join(purpose.actions)


def _warnings(bucket: SeenBucket | None) -> tuple[str, ...]:
    if bucket is None or bucket.everlasting:
        return ()
    return (f"InfluxDB forgets what is old in bucket {bucket.name}: files with older rows are stored in part.",)
