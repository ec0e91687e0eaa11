"""SQL of what was seen of an SFTPGo."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from belvedere.intake.sftpgo.model import Difference, Look
from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.plan import Change

_KEPT_DAYS: Final = 7


def installation(connection: Connection) -> str:
    """Return the number of this installation, which stands in every mark."""
    row = one(connection, "SELECT id::text AS id FROM installation")
    return str(row["id"]) if row else ""


def note(connection: Connection, found: Sequence[tuple[int | None, str, str, str, Sequence[Change]]],
         *, tenant: int | None, now: datetime) -> None:
    """Let what differs be this: tenant, name, sign, title and changes of each. The rest counts as settled.

    With a `tenant` only what is of it is settled.
    """
    names = [name for _, name, _, _, _ in found]
    connection.execute(
        "UPDATE sftpgo_difference SET settled_at = %(now)s WHERE settled_at IS NULL AND name <> ALL(%(names)s) "
        "AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s)", {"now": now, "names": names, "tenant": tenant},
    )
    for serial, name, sign, title, changes in found:
        connection.execute(
            "INSERT INTO sftpgo_difference (tenant_id, name, sign, title, changes, found_at) "
            "VALUES ((SELECT serial FROM tenant WHERE serial = %s), %s, %s, %s, %s, %s) "
            "ON CONFLICT (name) WHERE settled_at IS NULL DO UPDATE SET tenant_id = excluded.tenant_id, "
            "sign = excluded.sign, title = excluded.title, changes = excluded.changes",
            [serial, name, sign, title, Jsonb([[one.field, one.old, one.new] for one in changes]), now],
        )
    connection.execute(
        "DELETE FROM sftpgo_difference WHERE settled_at < %s - make_interval(days => %s)", [now, _KEPT_DAYS]
    )


def settle(connection: Connection, name: str, now: datetime) -> None:
    """Write down that a user is as it should be."""
    connection.execute(
        "UPDATE sftpgo_difference SET settled_at = %s WHERE name = %s AND settled_at IS NULL", [now, name]
    )


def looked(connection: Connection, now: datetime | None, problem: str, problem_type: str, hint: str) -> None:
    """Write down how a look ended; `now` is None where it did not come to an end."""
    connection.execute(
        "INSERT INTO sftpgo_look (looked_at, problem, problem_type, hint) VALUES (%(now)s, %(problem)s, %(type)s, "
        "%(hint)s) ON CONFLICT (only_one) DO UPDATE SET looked_at = coalesce(%(now)s, sftpgo_look.looked_at), "
        "problem = %(problem)s, problem_type = %(type)s, hint = %(hint)s",
        {"now": now, "problem": problem, "type": problem_type, "hint": hint},
    )


def look(connection: Connection) -> Look:
    """Return how the last look ended."""
    row = one(connection, "SELECT looked_at, problem, problem_type, hint FROM sftpgo_look")
    return Look(**row) if row else Look(None)


def differences(connection: Connection, *, settled: bool, limit: int) -> list[Difference]:
    """Return what differs now, by name; or what was repaired, the newest first."""
    found = rows(
        connection,
        "SELECT tenant_id AS tenant, name, sign, title, changes, found_at, settled_at FROM sftpgo_difference "
        "WHERE (settled_at IS NOT NULL) = %s ORDER BY settled_at DESC, name LIMIT %s", [settled, limit],
    )
    return [_difference(row) for row in found]


def _difference(row: dict[str, Any]) -> Difference:
    changes = tuple(Change(*one) for one in row.pop("changes"))
    return Difference(**row, changes=changes, foreign=row["sign"] == "=")
