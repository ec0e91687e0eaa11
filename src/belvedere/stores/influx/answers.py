"""The shapes of InfluxDB's answers, as far as they are read. More in them is no error."""

from msgspec import Struct, field


class Problem(Struct):
    """Any refusal: a word for it, and a sentence."""

    code: str = ""
    message: str = ""


class Health(Struct):
    """What `/health` says of itself."""

    status: str = ""
    version: str = ""


class Org(Struct):
    """An organization."""

    id: str
    name: str = ""


class Orgs(Struct):
    """Organizations of one name."""

    orgs: list[Org] = []


class Retention(Struct):
    """How long points are kept; 0 for ever."""

    every_seconds: int = field(name="everySeconds", default=0)


class Bucket(Struct):
    """A bucket."""

    id: str
    name: str
    description: str = ""
    retention: list[Retention] = field(name="retentionRules", default_factory=list)


class Buckets(Struct):
    """Buckets of one name."""

    buckets: list[Bucket] = []


class Resource(Struct):
    """What a right is about; without a number it is everything of that type."""

    type: str
    id: str = ""


class Permission(Struct):
    """One right of a token."""

    action: str
    resource: Resource


class Token(Struct):
    """A token. Its value is in the answer that made it; from 2.9 on nowhere else."""

    id: str
    status: str = "active"
    description: str = ""
    token: str = ""
    permissions: list[Permission] = []


class Tokens(Struct):
    """The tokens of an organization."""

    authorizations: list[Token] = []


class NameForInfluxql(Struct):
    """A bucket's name as a database of InfluxQL. A `virtual` one stands by itself, from 2.1 on."""

    bucket: str = field(name="bucketID")
    database: str = ""
    default: bool = False


class NamesForInfluxql(Struct):
    """Those of one database."""

    content: list[NameForInfluxql] = []
