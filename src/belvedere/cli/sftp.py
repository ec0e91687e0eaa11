"""`belvedere sftp`: serve SFTP; who of a tenant sends files, with what; who is connected.

What is not here: the rules (`intake/sftp/`).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from belvedere.cli import output
from belvedere.cli.installation import sftp as serve
from belvedere.cli.local import actor, services
from belvedere.cli.sftpgo import adopt, apply, plan
from belvedere.cli.tenant import of_tenant, serial_of
from belvedere.kernel.errors import Rejected
from belvedere.kernel.secret import Secret

if TYPE_CHECKING:
    from belvedere.intake.sftp.model import Made, Session, User
    from belvedere.kernel.settings import Settings

_PERMISSIONS = ("read", "upload", "create", "rename", "delete")
_MAY = click.option(
    "--may", "permissions", multiple=True, type=click.Choice(_PERMISSIONS),
    help="What it may do; several. Absent: everything.",
)  # fmt: skip


@click.group(invoke_without_command=True)
@click.pass_context
def sftp(context: click.Context) -> None:
    """Serve SFTP, alone. With a verb: who may send files, and who does."""
    if context.invoked_subcommand is None:
        context.invoke(serve)


sftp.add_command(serve, "run")
sftp.add_command(plan)
sftp.add_command(apply)
sftp.add_command(adopt)


@sftp.group()
def user() -> None:
    """SFTP users of a tenant. USER is a login; a tenant's first one has the tenant's name."""


@user.command(epilog="Example: belvedere sftp user add acme --key ~/.ssh/id_ed25519.pub --quota 50G")
@click.argument("tenant")
@click.option("--name", default="", help="The login. Absent: the tenant's name.")
@click.option("--key", type=click.Path(path_type=Path), help="File with a public key; `-` reads it.")
@click.option("--password", is_flag=True, help="Read a password, and let it in by that; absent: one is made.")
@click.option("--folder", default="", help="Its home below the tenant's folder. Absent: all of it.")
@_MAY
@click.option("--quota", default="", metavar="SIZE", help="Most bytes that its home holds: 50G, 512M.")
@click.option("--files", default=0, type=click.IntRange(0), help="Most files that its home holds.")
def add(
    tenant: str, name: str, key: Path | None, *, password: bool, folder: str, permissions: tuple[str, ...], quota: str,
    files: int,
) -> None:
    """Make a user; a password that is made is printed, once."""
    from belvedere.intake.sftp.rules import size

    given = _password() if password else None
    text = _text(key) if key else ""
    with services() as built:
        made = built.sftp.add(
            actor(), serial_of(built, tenant), name=name, password=given, key=text, folder=folder,
            permissions=permissions or _PERMISSIONS, quota_bytes=size(quota), quota_files=files,
        )
        settings = built.settings
    secret = str(key.with_suffix("")) if key and key.suffix == ".pub" else ""
    _say_made(made, f"{made.user.name} can send files now.", _server(settings, made.user.name, secret))


@user.command("list", epilog="Example: belvedere sftp user list acme")
@click.argument("tenant")
def listed(tenant: str) -> None:
    """List a tenant's users."""
    from belvedere.api.sftp import view_user

    with services() as built:
        found = built.sftp.list(actor(), serial_of(built, tenant))
    output.show_list(
        found,
        {
            "USER": lambda one: one.name, "HOME": lambda one: one.home, "STATE": _state,
            "KEYS": lambda one: len(one.keys), "PASSWORD": lambda one: "yes" if one.has_password else "no",
            "MAY": lambda one: " ".join(one.permissions), "QUOTA": lambda one: one.quota_bytes or "-",
            "LAST SEEN": lambda one: one.seen_at,
        },
        empty=f"Nobody yet. Make one: belvedere sftp user add {tenant}", value=view_user,
    )  # fmt: skip


@user.command(epilog="Example: belvedere sftp user change acme acme-lab --quota 10G --may read --may upload")
@of_tenant("user")
@click.option("--folder", default=None, help="Its home below the tenant's folder; empty for all of it.")
@_MAY
@click.option("--quota", default=None, metavar="SIZE", help="Most bytes that its home holds; 0 for no limit.")
@click.option("--files", default=None, type=click.IntRange(0), help="Most files; 0 for no limit.")
def change(
    tenant: str, user: str, *, folder: str | None, permissions: tuple[str, ...], quota: str | None, files: int | None
) -> None:
    """Change home, permissions or quotas, from the next session on."""
    from belvedere.intake.sftp.model import Change
    from belvedere.intake.sftp.rules import size

    wanted = Change(
        folder=folder, permissions=permissions or None, quota_bytes=None if quota is None else size(quota),
        quota_files=files,
    )
    with services() as built:
        found = built.sftp.change(actor(), serial_of(built, tenant), user, wanted)
    _say(found, f"{found.name} is changed.")


@user.command(epilog="Example: belvedere sftp user password acme acme")
@of_tenant("user")
@click.option("--read", "reads", is_flag=True, help="Read the password; absent: one is made and printed, once.")
def password(tenant: str, user: str, *, reads: bool) -> None:
    """Give a user another password; the old one ends."""
    given = _password() if reads else None
    with services() as built:
        made = built.sftp.reset_password(actor(), serial_of(built, tenant), user, given)
    _say_made(made, f"{made.user.name} has another password.")


@user.command("no-password", epilog="Example: belvedere sftp user no-password acme acme")
@of_tenant("user")
def no_password(tenant: str, user: str) -> None:
    """Let a user in by its keys alone."""
    with services() as built:
        found = built.sftp.forget_password(actor(), serial_of(built, tenant), user)
    _say(found, f"{found.name} comes in by its keys alone.")


@user.command(epilog="Example: belvedere sftp user disable acme acme-lab")
@of_tenant("user")
def disable(tenant: str, user: str) -> None:
    """Keep a user out, and end its sessions."""
    with services() as built:
        found = built.sftp.set_disabled(actor(), serial_of(built, tenant), user, disabled=True)
    _say(found, f"{found.name} cannot sign in any more.")


@user.command(epilog="Example: belvedere sftp user enable acme acme-lab")
@of_tenant("user")
def enable(tenant: str, user: str) -> None:
    """Let a user in again."""
    with services() as built:
        found = built.sftp.set_disabled(actor(), serial_of(built, tenant), user, disabled=False)
    _say(found, f"{found.name} can sign in again.")


@user.command(epilog="Example: belvedere sftp user remove acme acme-lab")
@of_tenant("user")
def remove(tenant: str, user: str) -> None:
    """Forget a user and end its sessions; its files stay."""
    with services() as built:
        found = built.sftp.remove(actor(), serial_of(built, tenant), user)
    _say(found, f"{found.name} is gone; its files are there.")


@user.command("add-key", epilog="Example: belvedere sftp user add-key acme acme ~/.ssh/id_ed25519.pub")
@of_tenant("user")
@click.argument("file", type=click.Path(path_type=Path))
def add_key(tenant: str, user: str, file: Path) -> None:
    """Let a user in by one more public key. FILE ends in .pub; `-` reads it."""
    text = _text(file)
    with services() as built:
        found = built.sftp.add_key(actor(), serial_of(built, tenant), user, text)
    _say(found, f"{found.name} has {len(found.keys)} keys.")


@user.command("remove-key", epilog="Example: belvedere sftp user remove-key acme acme SHA256:...")
@of_tenant("user")
@click.argument("fingerprint")
def remove_key(tenant: str, user: str, fingerprint: str) -> None:
    """Take a key from a user. FINGERPRINT is what `belvedere sftp user list --json` and ssh-keygen -l show."""
    with services() as built:
        found = built.sftp.remove_key(actor(), serial_of(built, tenant), user, fingerprint)
    _say(found, f"{found.name} has {len(found.keys)} keys.")


@sftp.group()
def session() -> None:
    """Who is or was connected."""


@session.command("list", epilog="Example: belvedere sftp session list --open")
@click.argument("tenant", required=False)
@click.option("--open", "is_open", is_flag=True, help="Only those that are connected now.")
def sessions(tenant: str | None, *, is_open: bool) -> None:
    """List sessions, the newest first."""
    from belvedere.api.sftp import view_session

    with services() as built:
        serial = serial_of(built, tenant) if tenant else None
        found = built.sftp_sessions.list(actor(), tenant=serial, is_open=is_open).items
    output.show_list(
        found,
        {
            "SESSION": lambda one: one.id, "USER": lambda one: one.user, "FROM": lambda one: one.origin,
            "STATE": lambda one: one.state, "BEGAN": lambda one: one.began_at, "IN": _carried,
            "ERROR": lambda one: one.traffic.error or "-",
        },
        empty="None." if not is_open else "Nobody is connected.", value=view_session,
    )  # fmt: skip


@session.command("end", epilog="Example: belvedere sftp session end 0199f3c2-...")
@click.argument("session")
def end(session: str) -> None:
    """Cut a session off, within seconds. What it sent so far can be gone on with."""
    from belvedere.api.sftp import view_session

    with services() as built:
        found = built.sftp_sessions.end(actor(), session)
    output.show(view_session(found), f"The session of {found.user} ends.")


@sftp.command("host-key", epilog="Example: belvedere sftp host-key show")
@click.argument("verb", type=click.Choice(["show"]), default="show")
def host_key(verb: str) -> None:
    """Print the server's public keys with their fingerprints, for those who send files to compare."""
    del verb
    from belvedere.intake.sftp import hostkeys
    from belvedere.kernel.settings import load

    lines = hostkeys.public(load().home_path)
    output.show_list(
        lines,
        {"FINGERPRINT": hostkeys.fingerprint, "KEY": lambda one: one},
        empty="None yet: the server makes them when it starts first.",
        value=lambda one: {"fingerprint": hostkeys.fingerprint(one), "key": one},
    )


def _password() -> Secret:
    if sys.stdin.isatty():
        return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return Secret(sys.stdin.readline().rstrip("\n"))


def _text(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read(10_000)
    try:
        return file.expanduser().read_text(encoding="utf-8", errors="replace")[:10_000]
    except OSError as error:
        message = f"{file} cannot be read: {(error.strerror or str(error)).lower()}."
        raise Rejected(message, field="key") from None


def _say(found: "User", text: str) -> None:
    from belvedere.api.sftp import view_user

    output.show(view_user(found), text)


def _say_made(made: "Made", text: str, server: dict[str, Any] | None = None) -> None:
    """Print a user with the password that is shown once, and where to go with it."""
    import msgspec

    from belvedere.api.sftp import view_made

    lines = [text]
    if made.password:
        lines.append(f"The password, shown this once: {made.password.reveal()}")
    if server is not None:
        lines += _directions(server)
    shown = msgspec.to_builtins(view_made(made)) | ({"server": server} if server is not None else {})
    output.show(shown, "\n".join(lines))


def _server(settings: "Settings", user: str, key: str) -> dict[str, Any] | None:
    """Return where a sender goes, and by which keys the server is known; None where no server runs here."""
    from belvedere.intake.sftp import hostkeys
    from belvedere.intake.sftp.where import where

    if not settings.sftp and not settings.sftp_address:
        return None
    there = where(settings)
    return {
        "host": there.host, "port": there.port, "command": there.command(user, key),
        "listens_on": settings.sftp_host if settings.sftp else None,
        "host_keys": [{"kind": one.split()[0], "fingerprint": hostkeys.fingerprint(one)}
                      for one in hostkeys.public(settings.home_path)],
    }


def _directions(server: dict[str, Any]) -> list[str]:
    lines = ["", f"  {server['command']}", ""]
    if server["host_keys"]:
        lines.append("Compare the server's key at the first time:")
        lines += [f"  {one['fingerprint']} ({one['kind']})" for one in server["host_keys"]]
    else:
        lines.append("The server makes its keys when it starts first; then compare: belvedere sftp host-key show")
    if server["listens_on"] in {"127.0.0.1", "::1", "localhost"}:
        lines.append(f"It listens on {server['listens_on']} alone; BELVEDERE_SFTP_HOST=0.0.0.0 lets other machines in.")
    return lines


def _state(one: "User") -> str:
    return "off" if one.disabled_at else "ready"


def _carried(one: "Session") -> str:
    return f"{one.traffic.files_up} files, {one.traffic.bytes_up} bytes"
