"""The SQL of notices and troubles, and of a tenant that goes. No rule stands here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from belvedere.intake.model import Notice, Trouble
from belvedere.intake.names import text_of
from belvedere.kernel.db import Connection, rows
from belvedere.kernel.ids import new_id
from belvedere.kernel.secret import Secret


def note(connection: Connection, notices: Sequence[tuple[str, Notice]], now: datetime) -> list[dict[str, Any]]:
    """Keep notices under their keys and ask for their tenants' jobs, in one statement.

    Each comes with its path as text. Returns a row a company: its name, whether a tenant has it, and how many were new.
    """
    return rows(
        connection,
        "WITH given AS (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], "
        "%s::timestamptz[]) AS given (company, key, path, what, via, at)), "
        "known AS (SELECT given.*, tenant.serial FROM given JOIN tenant ON tenant.name = given.company "
        "WHERE tenant.deleting_since IS NULL), "
        "kept AS (INSERT INTO intake_event (tenant_id, key, path, what, via, at, noted_at) "
        "SELECT serial, key, path, what, via, at, %s FROM known ON CONFLICT (tenant_id, key) DO NOTHING "
        "RETURNING tenant_id), "
        "asked AS (SELECT enqueue_job('intake.take', serial::text, 0) FROM (SELECT DISTINCT serial FROM known) AS one) "
        "SELECT given.company, count(known.serial) > 0 AS known, (SELECT count(*) FROM kept) AS kept, "
        "(SELECT count(*) FROM asked) AS asked "
        "FROM (SELECT DISTINCT company FROM given) AS given LEFT JOIN known USING (company) GROUP BY given.company",
        [
            # What is not UTF-8 is nobody's name, and no text that could be sent.
            [text_of(one.company) for _, one in notices],
            [one.key or str(new_id()) for _, one in notices],
            [path for path, _ in notices],
            [str(one.what) for _, one in notices],
            [str(one.via) for _, one in notices],
            [one.at or now for _, one in notices],
            now,
        ],
    )


def ask_look(connection: Connection, serial: int, via: str, now: datetime) -> None:
    """Have all of a tenant's folder looked at by its next job."""
    connection.execute(
        "INSERT INTO intake_event (tenant_id, key, path, what, via, at, noted_at) "
        "VALUES (%(serial)s, %(key)s, '', 'look', %(via)s, %(now)s, %(now)s)",
        {"serial": serial, "key": str(new_id()), "via": via, "now": now},
    )


def open_events(connection: Connection, serial: int, limit: int) -> list[dict[str, Any]]:
    """Return notices that nobody has looked at yet, the oldest first."""
    return rows(
        connection,
        "SELECT id, path, what, via FROM intake_event WHERE tenant_id = %s AND looked_at IS NULL ORDER BY id LIMIT %s",
        [serial, limit],
    )


def events_looked(connection: Connection, ids: list[int], now: datetime) -> None:
    """Write down that the places of these notices were looked at."""
    connection.execute("UPDATE intake_event SET looked_at = %s WHERE id = ANY(%s)", [now, ids])


def tidy(connection: Connection, before: datetime) -> None:
    """Forget notices whose key can hardly come again."""
    connection.execute("DELETE FROM intake_event WHERE noted_at < %s AND looked_at IS NOT NULL", [before])


def settle_troubles(
    connection: Connection, serial: int | None, under: str, found: dict[str, tuple[str, str]], now: datetime
) -> None:
    """Let what is wrong at a path and below it be just this: path to code and sentence."""
    connection.execute(
        "DELETE FROM intake_trouble WHERE tenant_id IS NOT DISTINCT FROM %s AND (%s = '' OR path = %s "
        "OR starts_with(path, %s || '/')) AND path <> ALL(%s)", [serial, under, under, under, list(found)],
    )
    connection.execute(
        "INSERT INTO intake_trouble (tenant_id, path, code, error, since) "
        "SELECT %s, path, code, error, %s FROM unnest(%s::text[], %s::text[], %s::text[]) AS one (path, code, error) "
        "ON CONFLICT (coalesce(tenant_id, 0), path) DO UPDATE SET code = excluded.code, error = excluded.error "
        "WHERE (intake_trouble.code, intake_trouble.error) IS DISTINCT FROM (excluded.code, excluded.error)",
        [serial, now, list(found), [code for code, _ in found.values()], [text for _, text in found.values()]],
    )


def settle_names(connection: Connection, serial: int, found: dict[str, tuple[str, str]], now: datetime) -> None:
    """Let just these folders of a tenant be ones that cannot be a campaign."""
    connection.execute(
        "DELETE FROM intake_trouble WHERE tenant_id = %s AND code = 'campaign-name' AND path <> ALL(%s)",
        [serial, list(found)],
    )
    for path, (code, error) in found.items():
        settle_troubles(connection, serial, path, {path: (code, error)}, now)


def forget_tenant(connection: Connection, serial: int) -> None:
    """Remove every row of a tenant."""
    for statement in (
        "DELETE FROM upload WHERE tenant_id = %s", "DELETE FROM intake_run WHERE tenant_id = %s",
        "DELETE FROM intake_event WHERE tenant_id = %s", "DELETE FROM intake_trouble WHERE tenant_id = %s",
        "DELETE FROM campaign WHERE tenant_id = %s",
    ):
        connection.execute(statement, [serial])


def tenant_names(connection: Connection) -> dict[str, int]:
    """Return the tenants that stay, by name."""
    return {
        row["name"]: row["serial"]
        for row in rows(connection, "SELECT name, serial FROM tenant WHERE deleting_since IS NULL")
    }


def troubles(connection: Connection, serial: int | None) -> list[Trouble]:
    """Return what is wrong with a tenant's places, or with all places where none is named."""
    found = rows(
        connection,
        "SELECT tenant_id, path, code, error, since FROM intake_trouble WHERE %(serial)s::bigint IS NULL "
        "OR tenant_id = %(serial)s ORDER BY tenant_id NULLS FIRST, path LIMIT 1000", {"serial": serial},
    )
    return [Trouble(**row) for row in found]


def strangers(control: Secret) -> list[tuple[str, str]]:
    """Return the folders that belong to no tenant, with what is said of each; in a session of its own."""
    with psycopg.connect(control.reveal(), connect_timeout=2) as connection:
        found = connection.execute(
            "SELECT path, error FROM intake_trouble WHERE tenant_id IS NULL ORDER BY path LIMIT 20"
        )
        return [(str(path), str(error)) for path, error in found]
