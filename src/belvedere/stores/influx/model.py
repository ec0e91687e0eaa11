"""What a tenant has in an InfluxDB: a bucket, tokens that reach nothing but it, and a name for InfluxQL. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from belvedere.kernel.secret import Secret

SERVER: Final = "influxdb"
"""What stands as server in the row of a store that is a bucket."""

_NOTHING: Final = Secret("")
_TODAY: Final = "powerview_token_for_bucket_"


class Purpose(StrEnum):
    """What a token is for. Each reaches one bucket and nothing else.

    `read` is Grafana's and the gateway's, `write` the parser's. `both` is the one that users of today know by the name
    `powerview_token_for_bucket_<company>`; it is made when somebody asks for it.
    """

    READ = "read"
    WRITE = "write"
    BOTH = "both"

    @property
    def actions(self) -> tuple[str, ...]:
        """What it may do, in InfluxDB's words."""
        return ("read", "write") if self is Purpose.BOTH else (self.value,)

    @property
    def kept_as(self) -> str:
        """The name under which its value is sealed, apart from the credentials that people see."""
        return f"_influxdb_{self.value}_token"


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an InfluxDB: address without a slash at the end, organization, and a token that may make things.

    `far` says that it is not on this host, so that what is sent is worth compressing.
    """

    url: str
    org: str
    token: Secret = _NOTHING
    timeout_s: float = 30.0
    ca_file: str = ""

    @property
    def far(self) -> bool:
        """Whether it stands on another host."""
        host = self.url.partition("://")[2].partition("/")[0]
        return not host.startswith(("127.", "localhost", "[::1]"))


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token as it is on record: its number in InfluxDB, and whether its value is kept."""

    number: str
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Desired:
    """What a tenant should have. `mark` in the bucket's description makes it ours."""

    tenant: str
    bucket: str
    mark: str
    purposes: tuple[Purpose, ...] = (Purpose.READ, Purpose.WRITE)
    influxql: bool = True

    def token_name(self, purpose: Purpose) -> str:
        """Return a token's description, by which one that was left half-made is known again."""
        return f"{_TODAY}{self.bucket}" if purpose is Purpose.BOTH else f"{self.mark} {purpose}"


@dataclass(frozen=True, slots=True)
class SeenBucket:
    """A bucket as InfluxDB has it. `everlasting` is false where old points go by themselves."""

    number: str
    name: str
    mark: str = ""
    everlasting: bool = True


@dataclass(frozen=True, slots=True)
class SeenToken:
    """A token as InfluxDB has it: whether it works, and the buckets and actions that it reaches."""

    number: str
    active: bool
    reaches: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is. `tokens` holds those whose value is kept; `mapped` tells whether InfluxQL knows the bucket."""

    bucket: SeenBucket | None = None
    tokens: dict[Purpose, SeenToken] = field(default_factory=dict)
    mapped: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Where a tenant's points go: the store, its bucket, and the value of the campaign's tag."""

    store_id: UUID
    bucket: str
    tag: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as its dashboard needs it: the values of its tag, and the seconds of its first and last row."""

    tags: tuple[str, ...]
    first_s: int | None = None
    last_s: int | None = None


def bucket_mark(installation: UUID, tenant: int) -> str:
    """Return what is written into a bucket's description, so that two installations leave each other whole."""
    return f"belvedere {installation} tenant {tenant}"
