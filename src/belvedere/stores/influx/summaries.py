"""The bucket of the summaries of all files and runs, and a token that may read it and nothing else.

The points are written by `influx.py` with the installation's own token. What is not here: who reads them, and where
the token's value is kept (`dashboards/fleet/`).
"""

from dataclasses import dataclass

from belvedere.kernel.errors import Later
from belvedere.kernel.secret import Secret
from belvedere.stores.influx.api import Influx
from belvedere.stores.influx.model import Purpose
from belvedere.stores.influx.plan import is_right

_NAME = "belvedere summaries"


@dataclass(frozen=True, slots=True)
class SeenSummaries:
    """What there is: the bucket, whether the token that was asked about reads just it, whether InfluxQL knows it."""

    bucket: bool
    right: bool
    mapped: bool


class Summaries:
    """The installation's bucket in one InfluxDB."""

    def __init__(self, influx: Influx, bucket: str) -> None:
        """Take the InfluxDB, with a token that may make things, and the bucket's name."""
        self._influx = influx
        self.bucket = bucket

    def observe(self, token: str) -> SeenSummaries:
        """Look at the bucket and at the token of this number.

        Raises:
            Later: InfluxDB is away.
            Stuck: it refuses.
        """
        bucket = self._influx.bucket(self.bucket)
        if bucket is None:
            return SeenSummaries(bucket=False, right=False, mapped=False)
        seen = self._influx.token(token) if token else None
        right = seen is not None and is_right(seen, Purpose.READ, bucket)
        return SeenSummaries(bucket=True, right=right, mapped=self._influx.is_mapped(self.bucket, bucket.number))

    def make_bucket(self) -> None:
        """Make the bucket. One that is there stays as it is: today's parser may have made it."""
        self._influx.make_bucket(self.bucket, "")

    def map(self) -> None:
        """Let InfluxQL find it."""
        number = self._number()
        # A new bucket is a database of its own name by itself, from 2.1 on.
        if not self._influx.is_mapped(self.bucket, number):
            self._influx.map(self.bucket, number)

    def make_token(self, installation: str) -> tuple[str, Secret]:
        """Make a token that reads it; return its number and its value, which is told this once."""
        return self._influx.make_token(f"{_NAME} {installation}", Purpose.READ, self._number())

    def drop_tokens(self, installation: str, *, but: str = "") -> None:
        """Delete the tokens that were made here, those of tries that broke off too, but for one number."""
        for one in self._influx.tokens_called(f"{_NAME} {installation}"):
            if one.id != but:
                self._influx.drop_token(one.id)

    def _number(self) -> str:
        found = self._influx.bucket(self.bucket)
        if found is None:
            message = f"The bucket {self.bucket} went away. It is made again."
            raise Later(message, retry_in_s=1.0)
        return found.number
