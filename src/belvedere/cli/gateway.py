"""`belvedere gateway`: serve the query gateway of a shared Grafana; say who of Grafana is whose member."""

import click

from belvedere.cli import output
from belvedere.cli.installation import gateway as serve
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import serial_of


@click.group(invoke_without_command=True)
@click.pass_context
def gateway(context: click.Context) -> None:
    """Serve the query gateway, alone. With a verb: say who of the shared Grafana may see which tenant's rows."""
    if context.invoked_subcommand is None:
        context.invoke(serve)


gateway.add_command(serve, "run")


@gateway.command(epilog="Example: belvedere gateway link user:12 alice --member bob@example.org --login bob")
@click.argument("subject")
@click.argument("tenant")
@click.option("--member", required=True, help="Whom it stands for, as the history will say it.")
@click.option("--login", default="", help="Its login in Grafana; must be the same where Grafana sends it.")
def link(subject: str, tenant: str, *, member: str, login: str) -> None:
    """Let a user (user:12) or service account (service-account:16) of Grafana see a tenant's rows."""
    with services() as built:
        built.identities.link(actor(), subject, serial_of(built, tenant), member=member, login=login)
    output.show({"subject": subject, "tenant": tenant}, f"{subject} sees the rows of {tenant}.")


@gateway.command(epilog="Example: belvedere gateway unlink user:12 alice")
@click.argument("subject")
@click.argument("tenant", required=False)
def unlink(subject: str, tenant: str | None) -> None:
    """Take that away again, from the next query on; without a tenant, for all of them."""
    with services() as built:
        removed = built.identities.unlink(actor(), subject, None if tenant is None else serial_of(built, tenant))
    output.show({"removed": removed}, f"{subject} sees {removed} tenants less.")


@gateway.command("list", epilog="Example: belvedere gateway list alice")
@click.argument("tenant")
def listed(tenant: str) -> None:
    """List who of Grafana sees a tenant's rows."""
    with services() as built:
        found = built.identities.of_tenant(actor(), serial_of(built, tenant))
    output.show_list(
        found,
        {"SUBJECT": lambda one: one.subject, "MEMBER": lambda one: one.member, "LOGIN": lambda one: one.login or "-"},
        empty=f"Nobody yet. belvedere gateway link user:12 {tenant} --member NAME",
        value=lambda one: {"subject": one.subject, "member": one.member, "login": one.login},
    )


@gateway.command(epilog="Example: belvedere gateway secret")
def secret() -> None:
    """Print the value of the header X-Belvedere-Gateway, for a data source that is made by hand."""
    with services() as built, built.history.action(actor(), "gateway.secret", "X-Belvedere-Gateway"):
        found = built.gateway_secrets()[0].reveal()
    output.show({"header": "X-Belvedere-Gateway", "value": found}, found)
