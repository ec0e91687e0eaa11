"""`belvedere token VERB` and `belvedere operator VERB`: who may call the API, and who runs the installation.

Whoever runs these can read the home's keys already, so they act as an admin; the history names them by their
login on this machine. What is not here: the rules (`identity/`).
"""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.kernel.actor import OPERATOR_ROLES, Role
from belvedere.kernel.errors import Rejected

if TYPE_CHECKING:
    from belvedere.identity.model import Operator

_LIFE: Final = re.compile(r"(?P<number>[1-9]\d{0,4})(?P<unit>[hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
_ROLE: Final = click.option(
    "--role",
    type=click.Choice([str(one) for one in OPERATOR_ROLES]),
    required=True,
    help="What it may do: look, run, or change everything.",
)


@click.group()
def token() -> None:
    """API tokens: made for a purpose, shown once, revoked for good."""


@token.command(epilog="Example: belvedere token create --name ci --role operator --json | jq -r .token")
@click.option("--name", required=True, help="What it is for; the history shows it.")
@click.option(
    "--role",
    type=click.Choice([str(one) for one in Role if one is not Role.OWNER]),
    required=True,
    help="What it may do: look, send (editor, with --tenant), run, or change everything.",
)
@click.option("--tenant", default=None, help="Name of the one tenant that it is confined to.")
@click.option("--expires", default=None, metavar="DURATION", help="When it ends: 12h, 90d, 52w. Absent: never.")
def create(name: str, role: Role, tenant: str | None, expires: str | None) -> None:
    """Make a token and print it. Nobody can show it again."""
    from belvedere.kernel.clock import utc_now

    life = life_of(expires)
    with services() as built:
        serial = built.tenants.get(actor(), tenant).serial if tenant else None
        _, secret = built.tokens.create(
            actor(), name=name, role=Role(role), tenant=serial, expires_at=utc_now() + life if life else None
        )
    output.show({"token": secret.reveal()}, secret.reveal())


@token.command("list", epilog="Example: belvedere tokens --jsonl")
@click.option("--tenant", default=None, help="Only those confined to this tenant.")
def list_tokens(tenant: str | None) -> None:
    """List tokens, the newest first, revoked ones too."""
    from belvedere.kernel.clock import utc_now

    with services() as built:
        serial = built.tenants.get(actor(), tenant).serial if tenant else None
        found = built.tokens.list(actor(), tenant=serial)
    now = utc_now()
    output.show_list(
        found,
        {
            "TOKEN": lambda one: one.name, "PREFIX": lambda one: one.prefix, "ROLE": lambda one: one.role,
            "TENANT": lambda one: one.tenant, "ENDS": lambda one: one.expires_at,
            "LAST USED": lambda one: one.last_used_at, "STATE": lambda one: one.state(now),
            "BY": lambda one: one.created_by,
        },
        empty="No tokens. Make one: belvedere token create --name NAME --role viewer",
        value=lambda one: {
            "id": one.id, "prefix": one.prefix, "name": one.name, "role": one.role, "tenant": one.tenant,
            "state": one.state(now), "created_at": one.created_at, "created_by": one.created_by,
            "expires_at": one.expires_at, "last_used_at": one.last_used_at,
        },
    )  # fmt: skip


@token.command(epilog="Example: belvedere token revoke k3j5m7qa2b")
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Switch a token off for good, from the next request on. PREFIX is its prefix or its id."""
    with services() as built:
        found = built.tokens.revoke(actor(), prefix.removeprefix("bvd_").partition("_")[0])
    output.show({"revoked": found.id, "name": found.name}, f"Token {found.name} is off.")


@click.group()
def operator() -> None:
    """Operators: the people who run this installation."""


@operator.command("create", epilog="Example: belvedere operator create charlie --role admin")
@click.argument("name")
@_ROLE
@click.option("--email", default=None, help="An address to sign in by, besides the name.")
def create_operator(name: str, role: Role, email: str | None) -> None:
    """Make an operator and print a password, to be changed at the first sign-in."""
    with services() as built:
        made = built.accounts.create(actor(), name, Role(role), email=email)
    output.show({"name": name, "role": role, "password": made.password.reveal()}, made.password.reveal())


@operator.command("list", epilog="Example: belvedere operators --json")
def list_operators() -> None:
    """List operators by name."""
    with services() as built:
        found = built.accounts.list(actor())
    output.show_list(
        found,
        {
            "OPERATOR": lambda one: one.name, "ROLE": lambda one: one.role, "STATE": _state,
            "LAST SIGNED IN": lambda one: one.last_sign_in_at, "E-MAIL": lambda one: one.email,
        },
        empty="No operators. The first start makes one.",
        value=lambda one: {
            "id": one.id, "name": one.name, "email": one.email, "role": one.role, "state": _state(one),
            "last_sign_in_at": one.last_sign_in_at, "created_at": one.created_at, "created_by": one.created_by,
        },
    )  # fmt: skip


@operator.command("role", epilog="Example: belvedere operator role charlie viewer")
@click.argument("name")
@click.argument("role", type=click.Choice([str(one) for one in OPERATOR_ROLES]))
def set_role(name: str, role: Role) -> None:
    """Change what an operator may do, from the next request on."""
    with services() as built:
        built.accounts.set_role(actor(), name, Role(role))
    output.show({"name": name, "role": role}, f"{name} is {role} now.")


@operator.command(epilog="Example: belvedere operator disable charlie")
@click.argument("name")
def disable(name: str) -> None:
    """Close an account: its sessions end now and its tokens are refused."""
    with services() as built:
        built.accounts.disable(actor(), name)
    output.show({"name": name, "state": "closed"}, f"{name} cannot sign in any more.")


@operator.command(epilog="Example: belvedere operator enable charlie")
@click.argument("name")
def enable(name: str) -> None:
    """Open a closed account again."""
    with services() as built:
        built.accounts.enable(actor(), name)
    output.show({"name": name, "state": "ready"}, f"{name} can sign in again.")


@operator.command(epilog="Example: belvedere operator password admin")
@click.argument("name")
def password(name: str) -> None:
    """Give an operator a new password and print it; every session of it ends."""
    with services() as built:
        made = built.accounts.reset_password(actor(), name)
    output.show({"name": name, "password": made.reveal()}, made.reveal())


def _state(one: "Operator") -> str:
    if one.disabled_at is not None:
        return "closed"
    return "password to change" if one.must_change_password else "ready"


def life_of(text: str | None) -> timedelta | None:
    """Read a duration such as 90d; None stays None.

    Raises:
        Rejected: it has not the shape of one.
    """
    if text is None:
        return None
    found = _LIFE.fullmatch(text)
    if found is None:
        message = f"`{text}` is no duration. Write a number and h, d or w: 90d."
        raise Rejected(message, field="expires")
    return timedelta(**{_UNITS[found["unit"]]: int(found["number"])})
