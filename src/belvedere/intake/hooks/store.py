"""SQL of the hook doors: whose a user is."""

from collections.abc import Sequence

from belvedere.intake.hooks.meaning import Home
from belvedere.kernel.db import Connection, rows


def homes(connection: Connection, users: Sequence[str]) -> dict[str, Home]:
    """Return the homes of SFTP users, and of tenants of these names whom no user has; none of who is on the way out."""
    found = rows(
        connection,
        "SELECT tenant.name AS told, serial, tenant.name, '' AS folder FROM tenant "
        "WHERE tenant.name = ANY(%(users)s) AND deleting_since IS NULL "
        "UNION ALL "
        # The later row counts: a user of this name, whosever it is.
        "SELECT sftp_user.name, serial, tenant.name, sftp_user.folder FROM sftp_user "
        "JOIN tenant ON tenant.serial = sftp_user.tenant_id "
        "WHERE sftp_user.name = ANY(%(users)s) AND deleting_since IS NULL",
        {"users": [user for user in users if "\0" not in user and user.isprintable()]},
    )
    return {row["told"]: Home(int(row["serial"]), str(row["name"]), str(row["folder"])) for row in found}
