"""What should be and what is, compared: the steps that make, repair or remove a tenant's logins and databases.

Pure: `postgres.py` observes and applies. A plan made after its own steps were applied is empty.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from belvedere.kernel.plan import Change, Plan, Sign, Step
from belvedere.stores.model import LoginKind, StoreKind


class Do(StrEnum):
    """The deeds that `postgres.py` can apply."""

    LOGIN = "login"
    PASSWORD = "password"  # noqa: S105  (the name of a deed)
    DATABASE = "database"
    OPEN = "open"
    SCHEMA = "schema"
    SHARE = "share"
    CREDENTIALS = "credentials"
    LOCK_OUT = "lock-out"
    DROP_DATABASE = "drop-database"
    DROP_LOGIN = "drop-login"


@dataclass(frozen=True, slots=True)
class Deed:
    """What to do to which login or database."""

    do: Do
    login: LoginKind | None = None
    store: StoreKind | None = None


@dataclass(frozen=True, slots=True)
class DesiredLogin:
    """A login as it should be. `settings` are defaults of its sessions, as PostgreSQL writes them."""

    kind: LoginKind
    role: str
    connections: int
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DesiredDatabase:
    """A database as it should be. `mark` is the comment that makes it ours; `pending` its name while it is made.

    In one that is `read_only` the tenant's writer has no business: Belvedere itself makes what stands there. One that
    is `timescaled` has TimescaleDB, where the server was prepared with it.
    """

    kind: StoreKind
    name: str
    mark: str
    pending: str
    read_only: bool = False
    timescaled: bool = False


@dataclass(frozen=True, slots=True)
class Desired:
    """A tenant's place on a server."""

    tenant: str
    logins: tuple[DesiredLogin, ...]
    databases: tuple[DesiredDatabase, ...]
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObservedLogin:
    """A login as the server has it. `memberships` are roles that it can act as; it should have none."""

    connections: int
    can_login: bool
    powers: tuple[str, ...]
    memberships: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    password_works: bool = True


@dataclass(frozen=True, slots=True)
class ObservedDatabase:
    """A database as the server has it.

    `rights` and `schema_rights` are (role, privilege) pairs besides the owner's; `PUBLIC` is a role here.
    `shared` tells whether what the writer makes is readable to the reader by default, and `unread` how many
    relations of the writer the reader cannot read now.
    """

    mark: str
    is_open: bool
    rights: frozenset[tuple[str, str]]
    schema_rights: frozenset[tuple[str, str]] = frozenset()
    shared: bool = False
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is. Databases are keyed by name, pending ones too."""

    logins: dict[str, ObservedLogin] = field(default_factory=dict)
    databases: dict[str, ObservedDatabase] = field(default_factory=dict)
    stale_credentials: tuple[str, ...] = ()


def plan(desired: Desired, observed: Observed) -> Plan[Deed]:
    """Return the steps from what is to what should be."""
    steps: list[Step[Deed]] = []
    for login in desired.logins:
        steps += _login_steps(login, observed.logins.get(login.role))
    for database in desired.databases:
        steps += _database_steps(desired, database, observed)
    if observed.stale_credentials:
        steps.append(
            Step(
                "credentials", Sign.CREATE, "Write default credentials", ", ".join(observed.stale_credentials),
                Deed(Do.CREDENTIALS),
            )
        )
    return Plan(desired.tenant, tuple(steps))


def removal(desired: Desired, observed: Observed, *, keep_data: bool) -> Plan[Deed]:
    """Return the steps that take a tenant off the server; kept databases stay, closed to everybody but their owner.

    The order is the one in which nothing slips back in: no new sessions, no old sessions, databases, logins.
    """
    steps: list[Step[Deed]] = []
    for login in desired.logins:
        there = observed.logins.get(login.role)
        if there is not None and (there.can_login or not keep_data):
            steps.append(
                Step(f"lock-out.{login.kind}", Sign.REMOVE, f"Lock out the {login.kind}", login.role,
                     Deed(Do.LOCK_OUT, login=login.kind))
            )
    if keep_data:
        return Plan(desired.tenant, tuple(steps))
    for database in desired.databases:
        names = [name for name in (database.name, database.pending) if _is_ours(database, name, observed)]
        if names:
            steps.append(
                Step(f"drop.{database.kind}", Sign.REMOVE, "Drop the database", database.name,
                     Deed(Do.DROP_DATABASE, store=database.kind))
            )
    steps += [
        Step(f"drop.{login.kind}", Sign.REMOVE, f"Drop the {login.kind}", login.role,
             Deed(Do.DROP_LOGIN, login=login.kind))
        for login in desired.logins if login.role in observed.logins
    ]
    return Plan(desired.tenant, tuple(steps))


def foreign(desired: Desired, observed: Observed) -> list[str]:
    """Return the names that we want and that somebody else's database bears."""
    return [
        database.name for database in desired.databases
        if database.name in observed.databases and observed.databases[database.name].mark != database.mark
    ]


def database_rights(desired: Desired, database: DesiredDatabase) -> frozenset[tuple[str, str]]:
    """Return who may do what with a database: the writer stages in temporary tables, the reader only enters."""
    rights = {(login.role, "CONNECT") for login in _allowed(desired, database)}
    rights |= {(one.role, "TEMPORARY") for one in _allowed(desired, database) if one.kind is LoginKind.WRITER}
    return frozenset(rights)


def schema_rights(desired: Desired, database: DesiredDatabase) -> frozenset[tuple[str, str]]:
    """Return who may do what in the schema `public`: the writer makes tables there, the reader looks."""
    rights = {(login.role, "USAGE") for login in _allowed(desired, database)}
    rights |= {(one.role, "CREATE") for one in _allowed(desired, database) if one.kind is LoginKind.WRITER}
    return frozenset(rights)


def _allowed(desired: Desired, database: DesiredDatabase) -> list[DesiredLogin]:
    return [login for login in desired.logins if not database.read_only or login.kind is LoginKind.READER]


def _login_steps(login: DesiredLogin, there: ObservedLogin | None) -> list[Step[Deed]]:
    deed = Deed(Do.LOGIN, login=login.kind)
    if there is None:
        return [Step(f"login.{login.kind}", Sign.CREATE, f"Make the {login.kind}", login.role, deed)]
    changes = _login_changes(login, there)
    if changes:
        return [Step(f"login.{login.kind}", Sign.CHANGE, f"Repair the {login.kind}", login.role, deed, changes)]
    if not there.password_works:
        change = Change("password", "refused", "as sealed")
        repair = Deed(Do.PASSWORD, login=login.kind)
        title = f"Set the password of the {login.kind} again"
        return [Step(f"password.{login.kind}", Sign.CHANGE, title, login.role, repair, (change,))]
    return []


def _login_changes(login: DesiredLogin, there: ObservedLogin) -> tuple[Change, ...]:
    changes = []
    if not there.can_login:
        changes.append(Change("may sign in", "no", "yes"))
    if there.connections != login.connections:
        changes.append(Change("most connections", str(there.connections), str(login.connections)))
    changes += [Change("power", power, "none") for power in there.powers]
    changes += [Change("member of", role, "none") for role in there.memberships]
    have = dict(there.settings)
    changes += [
        Change(name, have.get(name, "unset"), value) for name, value in login.settings if have.get(name) != value
    ]
    return tuple(changes)


def _database_steps(desired: Desired, database: DesiredDatabase, observed: Observed) -> list[Step[Deed]]:
    def step(do: Do, sign: Sign, title: str, changes: tuple[Change, ...] = ()) -> Step[Deed]:
        return Step(f"{do}.{database.kind}", sign, title, database.name, Deed(do, store=database.kind), changes)

    there = observed.databases.get(database.name)
    make = step(Do.DATABASE, Sign.CREATE, "Make the database")
    close = "Close it to all but its tenant"
    enter = "Let the reader look" if database.read_only else "Let the writer make tables"
    share = "Let the reader see what is there" if database.read_only else "Let the reader see what the writer makes"
    if there is None:
        first = [] if database.pending in observed.databases else [make]
        opened = [
            *first,
            step(Do.OPEN, Sign.CREATE, close),
            step(Do.SCHEMA, Sign.CREATE, enter),
        ]
        return opened if database.read_only else [*opened, step(Do.SHARE, Sign.CREATE, share)]
    steps = []
    rights = _differences(there.rights, database_rights(desired, database))
    if rights or not there.is_open:
        steps.append(step(Do.OPEN, Sign.CHANGE, close, rights or (Change("connections", "refused", "allowed"),)))
    inside = _differences(there.schema_rights, schema_rights(desired, database))
    if inside:
        steps.append(step(Do.SCHEMA, Sign.CHANGE, enter, inside))
    if (not there.shared and not database.read_only) or there.unread:
        unread = (Change("tables that the reader cannot read", str(there.unread), "0"),) if there.unread else ()
        steps.append(step(Do.SHARE, Sign.CHANGE, share, unread))
    return steps


def _differences(have: frozenset[tuple[str, str]], want: frozenset[tuple[str, str]]) -> tuple[Change, ...]:
    lost = [Change(f"{role} may {right}", "no", "yes") for role, right in sorted(want - have)]
    more = [Change(f"{role} may {right}", "yes", "no") for role, right in sorted(have - want)]
    return (*lost, *more)


def _is_ours(database: DesiredDatabase, name: str, observed: Observed) -> bool:
    there = observed.databases.get(name)
    return there is not None and (name == database.pending or there.mark == database.mark)
