"""`belvedere store VERB`: where tenants' data lies."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import print_plan, serial_of
from belvedere.kernel.errors import NotFound, Rejected

if TYPE_CHECKING:
    from belvedere.app import Services


@click.group()
def store() -> None:
    """Stores: the databases of tenants, their tables and how to connect."""


@store.command("list", epilog="Example: belvedere store list alice")
@click.argument("tenant")
def listed(tenant: str) -> None:
    """List a tenant's stores."""
    from belvedere.api.stores import view

    with services() as built:
        found = built.stores.list(actor(), serial_of(built, tenant))
    output.show_list(
        found,
        {
            "DATABASE": lambda one: one.database, "KIND": lambda one: one.kind, "HOST": lambda one: one.host,
            "PORT": lambda one: one.port, "ID": lambda one: one.id, "STATE": lambda one: one.state,
        },
        empty=f"None yet. belvedere tenant show {tenant}", value=view,
    )


@store.command(epilog="Example: belvedere store show alice-QOR")
@click.argument("database")
def show(database: str) -> None:
    """Show a store by its database or its id: its tables and views."""
    from belvedere.api.stores import view, view_relation

    with services() as built:
        found = _find(built, database)
        relations = built.stores.relations(actor(), found.id)
        connection = built.stores.connection_info(actor(), found.id)
    if output.style().machine:
        output.show({
            "store": view(found), "relations": [view_relation(one) for one in relations], "connect": connection.psql,
        })
        return
    output.facts({"database": found.database, "kind": found.kind, "host": found.host, "port": found.port,
                  "connect": connection.psql, "state": output.state_text(found.state)})
    click.echo()
    output.show_list(
        relations,
        {
            "TABLE": lambda one: f"{one.schema}.{one.name}", "KIND": lambda one: one.kind,
            "ROWS": lambda one: one.rows_estimate, "BYTES": lambda one: one.size_bytes,
            "SINCE": lambda one: one.first_seen_at, "STATE": lambda one: one.state,
        },
        empty="No tables. Write one over SQL; a dashboard follows within seconds.",
    )


@store.command(epilog="Example: belvedere store plan alice --detailed-exitcode")
@click.argument("tenant")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
def plan(tenant: str, *, detailed_exitcode: bool) -> None:
    """Print what differs between a tenant's stores and what they should be."""
    with services() as built:
        found = built.stores.plan(actor(), serial_of(built, tenant))
    print_plan(found, detailed_exitcode=detailed_exitcode)


@store.command(epilog="Example: belvedere store token acme")
@click.argument("tenant")
@click.option("--new", "anew", is_flag=True, help="Make another and end the one that was made before.")
def token(tenant: str, *, anew: bool) -> None:
    """Make a tenant's bucket in InfluxDB, and a token that may read and write it; its value is printed once."""
    with services() as built, built.history.action(actor(), "store.influx-token", tenant):
        if built.influx is None:
            message = "No InfluxDB is set up here."
            raise Rejected(message, hint="set INFLUXDB_HOST, INFLUXDB_ORG and INFLUXDB_ADMIN_TOKEN")
        value, made = built.influx.token_of_today(actor(), serial_of(built, tenant), anew=anew)
    if made:
        output.show({"bucket": tenant, "token": value.reveal()}, value.reveal())
    else:
        output.show({"bucket": tenant, "token": None}, "It was made before and is told once. --new makes another.")


def _find(built: "Services", word: str) -> Any:  # noqa: ANN401  (a store)
    try:
        return built.stores.get(actor(), UUID(word))
    except ValueError:
        pass
    after: str | None = None
    while True:
        page = built.tenants.list(actor(), after=after, limit=1000)
        for tenant in page.items:
            for one in built.stores.list(actor(), tenant.serial) if word.startswith(tenant.name) else ():
                if one.database == word:
                    return one
        after = page.next
        if after is None:
            message = f"No store {word} here."
            raise NotFound(message, hint="belvedere store list TENANT")
