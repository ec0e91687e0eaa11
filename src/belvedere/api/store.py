"""The SQL of this door: answers kept for `Idempotency-Key`. Everything else belongs to a room."""

from psycopg.rows import DictRow

from belvedere.kernel.db import Connection, one


def claim(connection: Connection, scope: bytes, request: bytes, lease_s: float) -> DictRow | None:
    """Take a key for a request; what ended a day ago or was left by a dead process gives way.

    Returns:
        None if it is ours now; else the row: its request, and its sealed answer, which is None while it works.
    """
    connection.execute(
        "DELETE FROM api_answer WHERE scope = %s AND (created_at < now() - interval '24 hours' "
        "OR (sealed IS NULL AND created_at < now() - make_interval(secs => %s)))",
        [scope, lease_s],
    )
    made = connection.execute(
        "INSERT INTO api_answer (scope, request) VALUES (%s, %s) ON CONFLICT (scope) DO NOTHING", [scope, request]
    )
    if made.rowcount:
        return None
    return one(connection, "SELECT request, sealed FROM api_answer WHERE scope = %s", [scope]) or {
        "request": request, "sealed": None,
    }


def keep(connection: Connection, scope: bytes, sealed: bytes) -> None:
    """Keep the answer, sealed, and forget some that are over a day old."""
    connection.execute("UPDATE api_answer SET sealed = %s WHERE scope = %s", [sealed, scope])
    connection.execute(
        "DELETE FROM api_answer WHERE scope IN "
        "(SELECT scope FROM api_answer WHERE created_at < now() - interval '24 hours' LIMIT 100)"
    )


def release(connection: Connection, scope: bytes) -> None:
    """Give a key back after a request that did nothing, so that it can be sent again."""
    connection.execute("DELETE FROM api_answer WHERE scope = %s AND sealed IS NULL", [scope])
