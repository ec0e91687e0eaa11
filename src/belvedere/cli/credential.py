"""`belvedere credential VERB`: a tenant's credentials. Values are never arguments: other users see those in `ps`."""

import sys

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import serial_of


@click.group()
def credential() -> None:
    """Credentials of a tenant, sealed at rest and masked where people look."""


@credential.command("list", epilog="Example: belvedere credential list alice")
@click.argument("tenant")
def listed(tenant: str) -> None:
    """List a tenant's credentials, without values."""
    with services() as built:
        found = built.credentials.list(actor(), serial_of(built, tenant))
    output.show_list(
        found,
        {
            "KEY": lambda one: one.key_name, "VERSION": lambda one: one.version, "SOURCE": lambda one: one.source,
            "UPDATED": lambda one: one.updated_at,
        },
        empty=f"None. Set one: belvedere credential set {tenant} SLACK_BOT_TOKEN",
    )


@credential.command("set", epilog="Example: pass show slack | belvedere credential set alice SLACK_BOT_TOKEN")
@click.argument("tenant")
@click.argument("key")
def put(tenant: str, key: str) -> None:
    """Set a credential. The value is asked for, or read from a pipe; one line break at its end is dropped."""
    from belvedere.kernel.secret import Secret

    if sys.stdin.isatty():
        value = Secret(click.prompt(f"Value of {key}", hide_input=True, err=True))
    else:
        value = Secret(sys.stdin.read().removesuffix("\n").removesuffix("\r"))
    with services() as built:
        kept = built.credentials.put(actor(), serial_of(built, tenant), key, value)
    output.show(kept, f"{kept.key_name} is at version {kept.version}.")


@credential.command(epilog="Example: belvedere credential reveal alice DB_PASS --reason 'psql by hand'")
@click.argument("tenant")
@click.argument("key")
@click.option("--reason", prompt="Why (at least 8 characters; it goes to the history)", help="Why it is shown.")
@click.option("--version", type=int, default=None, help="An older version.")
def reveal(tenant: str, key: str, reason: str, version: int | None) -> None:
    """Print a value. The reason stands in the history before the value is printed."""
    with services() as built:
        serial = serial_of(built, tenant)
        name = built.credentials.get(actor(), serial, key).key_name
        value = built.credentials.reveal(actor(), serial, key, reason, version=version).reveal()
    output.show({"key_name": name, "key_value": value}, value)


@credential.command(epilog="Example: belvedere credential delete alice SLACK_BOT_TOKEN")
@click.argument("tenant")
@click.argument("key")
def delete(tenant: str, key: str) -> None:
    """Delete a credential. Its versions stay sealed until the tenant goes."""
    with services() as built:
        gone = built.credentials.delete(actor(), serial_of(built, tenant), key)
    output.show(gone, f"{gone.key_name} is deleted.")
