"""The SQL of what comes in: files as they are seen, claimed, read and ended, and runs.

Notices are `notices/store.py`, lists for people `uploads/store.py`, campaigns `campaigns/store.py`. No rule here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from belvedere.intake.files import Seen
from belvedere.intake.model import Place
from belvedere.intake.names import name_of, text_of
from belvedere.intake.work import Claimed, Ended, Run, Waiting
from belvedere.kernel.db import Connection, one, rows
from belvedere.kernel.ids import new_id

# --- files as they are seen --------------------------------------------------------------------------------


def unchanged(connection: Connection, serial: int, files: Sequence[Seen]) -> set[tuple[str, str]]:
    """Return the places (as text) of those files that are noted just as they are now."""
    found = rows(
        connection,
        "SELECT folder, name FROM upload JOIN unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[]) "
        "AS seen (folder, name, size, file, changed) USING (folder, name) "
        "WHERE tenant_id = %s AND "
        "state IN ('received', 'reading', 'stored', 'waiting', 'left') AND size_bytes = seen.size AND "
        "upload.file = seen.file "
        "AND changed_ns = seen.changed",
        [*_columns(files), serial],
    )
    return {(row["folder"], row["name"]) for row in found}


def note_files(
    connection: Connection, serial: int, files: Sequence[Seen], *, campaigns: dict[str, UUID], via: str,
    still: Sequence[datetime], closed: Sequence[bool], now: datetime,
) -> None:
    """Keep files as they were seen: new ones, and known ones that have changed since or are closed now."""
    folders, names, sizes, idents, changed = _columns(files)
    connection.execute(
        "INSERT INTO upload (id, tenant_id, campaign_id, device, folder, name, size_bytes, file, changed_ns, "
        "still_since, closed, state, via, received_at) "
        "SELECT id, %s, campaign, device, folder, name, size, file, changed, still, closed, 'received', %s, %s "
        "FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], "
        "%s::bigint[], %s::timestamptz[], %s::boolean[]) "
        "AS seen (id, campaign, device, folder, name, size, file, changed, still, closed) "
        "ON CONFLICT (tenant_id, folder, name) WHERE "
        "state IN ('received', 'reading', 'stored', 'waiting', 'left') DO UPDATE SET size_bytes = excluded.size_bytes, "
        "file = excluded.file, changed_ns = excluded.changed_ns, still_since = excluded.still_since, "
        "closed = excluded.closed, campaign_id = excluded.campaign_id, state = 'received', error = NULL, code = NULL, "
        "failures = 0, again_at = NULL, moved_to = NULL "
        "WHERE upload.state NOT IN ('reading', 'stored')",
        [
            serial, via, now,
            [new_id() for _ in files],
            [campaigns.get(folder.split("/")[0]) for folder in folders],
            [Place("", folder, "").device for folder in folders],
            folders, names, sizes, idents, changed, list(still), list(closed),
        ],
    )


def close_files(connection: Connection, serial: int, places: Sequence[tuple[str, str]], via: str) -> None:
    """Note that files are complete which stand here as they are already, and by which door they came."""
    connection.execute(
        "UPDATE upload SET closed = true, via = %s, error = NULL, code = NULL "
        "FROM unnest(%s::text[], %s::text[]) AS seen (folder, name) "
        "WHERE tenant_id = %s AND upload.folder = seen.folder AND upload.name = seen.name "
        "AND state = 'received' AND NOT closed",
        [via, [one for one, _ in places], [one for _, one in places], serial],
    )


def came_by(connection: Connection, serial: int, told: Sequence[tuple[str, str]], now: datetime) -> None:
    """Note the doors of files that the watch over the folder told of first; some may be read already.

    Args:
        connection: a transaction.
        serial: the tenant.
        told: paths and doors.
        now: the time; what came more than a minute before is another file.
    """
    connection.execute(
        "UPDATE upload SET via = seen.via FROM unnest(%s::text[], %s::text[], %s::text[]) AS seen (folder, name, via) "
        "WHERE tenant_id = %s AND upload.folder = seen.folder AND upload.name = seen.name AND upload.via = 'folder' "
        "AND received_at > %s - interval '1 min'",
        [
            [path.rpartition("/")[0] for path, _ in told], [path.rpartition("/")[2] for path, _ in told],
            [via for _, via in told], serial, now,
        ],
    )


def open_places(
    connection: Connection, serial: int, under: str, after: tuple[str, str], limit: int
) -> list[dict[str, Any]]:
    """Return files that stand as lying where they came, at a path or below it, in order of their places."""
    return rows(
        connection,
        "SELECT id, folder, name FROM upload WHERE tenant_id = %(serial)s AND "
        "state IN ('received', 'reading', 'stored', 'waiting', 'left') "
        "AND state NOT IN ('reading', 'stored') AND moved_to IS NULL AND (%(under)s = '' OR folder = %(under)s "
        "OR starts_with(folder, %(under)s || '/') OR (folder, name) = (%(folder)s, %(name)s)) "
        "AND (folder, name) > (%(after)s, %(after_name)s) ORDER BY folder, name LIMIT %(limit)s",
        {
            "serial": serial, "under": under, "folder": under.rpartition("/")[0], "name": under.rpartition("/")[2],
            "after": after[0], "after_name": after[1], "limit": limit,
        },
    )


def gone(connection: Connection, ids: list[UUID], now: datetime) -> None:
    """Note that somebody took files away before they were read."""
    connection.execute(
        "UPDATE upload SET state = 'gone', ended_at = %s, error = NULL, code = NULL WHERE id = ANY(%s) "
        "AND state IN ('received', 'waiting', 'left')",
        [now, ids],
    )


# --- runs --------------------------------------------------------------------------------------------------


def claim(
    connection: Connection, serial: int, *, still_s: float, now: datetime, most: int, most_bytes: int
) -> tuple[Run, list[Claimed]] | None:
    """Take the oldest files that are due as one run; one that has failed before is a run of its own.

    Returns None when there are none.
    """
    found = rows(
        connection,
        "SELECT * FROM (SELECT id, failures, sum(size_bytes) OVER (ORDER BY received_at, changed_ns, id) AS bytes "
        "FROM (SELECT * FROM upload WHERE tenant_id = %(serial)s AND "
        "((state = 'received' AND (closed OR still_since + greatest(make_interval(secs => %(still)s), "
        "least(interval '1 min', (%(now)s - received_at) / 10)) <= %(now)s)) "
        "OR (state = 'waiting' AND again_at <= %(now)s)) "
        "ORDER BY received_at, changed_ns, id LIMIT %(most)s) AS due) AS due",
        {"serial": serial, "still": still_s, "now": now, "most": most},
    )
    if not found:
        return None
    chosen = [found[0]["id"]]
    if not found[0]["failures"]:
        for row in found[1:]:
            if row["bytes"] > most_bytes or row["failures"]:
                break
            chosen.append(row["id"])
    run = Run(new_id(), serial, now)
    connection.execute(
        "INSERT INTO intake_run (id, tenant_id, started_at) VALUES (%s, %s, %s)", [run.id, serial, now]
    )
    taken = rows(
        connection,
        "UPDATE upload SET state = 'reading', run = %s, started_at = %s, error = NULL, code = NULL, again_at = NULL "
        "WHERE id = ANY(%s) AND state IN ('received', 'waiting') RETURNING *",
        [run.id, now, chosen],
    )
    order = {ident: place for place, ident in enumerate(chosen)}
    return run, sorted((_claimed(row) for row in taken), key=lambda one: order[one.id])


def _claimed(row: dict[str, Any]) -> Claimed:
    return Claimed(
        id=row["id"], campaign_id=row["campaign_id"], folder=row["folder"], name=row["name"],
        seen=Seen(
            name_of(row["folder"]), name_of(row["name"]), row["size_bytes"], row["file"], row["changed_ns"]
        ),
        received_at=row["received_at"], kind=row["kind"], run=row["run"], failures=row["failures"],
        moved_to=name_of(row["moved_to"] or ""),
        refused=row["error"] is not None and row["code"] != "partial",
    )


def same(connection: Connection, serial: int, read: Sequence[tuple[Claimed, bytes]]) -> dict[UUID, dict[str, Any]]:
    """Return for each file its version, and the earlier upload with its content in its folder, if there is one.

    An earlier one counts only while no other content came under its name after it.
    """
    found = rows(
        connection,
        "SELECT given.id, (SELECT earlier.id FROM upload AS earlier WHERE earlier.tenant_id = %(serial)s "
        "AND earlier.sha256 = given.sha AND earlier.folder = given.folder AND earlier.state = 'parsed' "
        "AND earlier.id <> given.id AND NOT EXISTS (SELECT FROM upload AS later WHERE later.tenant_id = %(serial)s "
        "AND later.folder = earlier.folder AND later.name = earlier.name AND later.ended_at > earlier.ended_at "
        "AND later.state = 'parsed' AND later.sha256 <> earlier.sha256) "
        "ORDER BY earlier.same_as IS NOT NULL, earlier.id LIMIT 1) AS same, "
        "coalesce((SELECT before.version + (before.sha256 IS DISTINCT FROM given.sha)::int FROM upload AS before "
        "WHERE before.tenant_id = %(serial)s AND before.folder = given.folder AND before.name = given.name "
        "AND before.id <> given.id AND before.state IN ('parsed', 'refused') ORDER BY before.id DESC LIMIT 1), 1) "
        "AS version "
        "FROM unnest(%(ids)s::uuid[], %(folders)s::text[], %(names)s::text[], %(shas)s::bytea[]) "
        "AS given (id, folder, name, sha)",
        {
            "serial": serial, "ids": [file.id for file, _ in read], "folders": [file.folder for file, _ in read],
            "names": [file.name for file, _ in read], "shas": [sha or None for _, sha in read],
        },
    )
    return {row["id"]: row for row in found}


def end_read(connection: Connection, run: UUID, ended: Sequence[Ended]) -> None:
    """Write what was read of files, whose data are stored by now; they are moved next."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE upload SET state = 'stored', kind = %s, sha256 = %s, version = %s, same_as = %s, points = %s, "
            "rows = %s, skipped = %s, first_at = %s, last_at = %s, error = %s, code = %s, report = %s "
            "WHERE id = %s AND run = %s AND state = 'reading'",
            [
                [
                    one.kind, one.sha256 or None, one.version, one.same_as, one.outcome.points, one.outcome.rows,
                    one.outcome.skipped, one.outcome.first_at, one.outcome.last_at, one.outcome.error,
                    one.outcome.code if one.outcome.error else None, Jsonb(dict(one.outcome.report)), one.file.id, run,
                ]
                for one in ended
            ],
        )


def end_moved(connection: Connection, run: UUID, moved: Sequence[tuple[Claimed, str]], now: datetime) -> int:
    """Write where files lie now that they are done; return how many were still this run's."""
    done = connection.execute(
        "UPDATE upload SET state = CASE WHEN error IS NULL OR code = 'partial' THEN 'parsed' ELSE 'refused' END, "
        "moved_to = nullif(moved.path, ''), ended_at = %s FROM unnest(%s::uuid[], %s::text[]) AS moved (id, path) "
        "WHERE upload.id = moved.id AND run = %s AND state = 'stored'",
        [now, [file.id for file, _ in moved], [text_of(path) for _, path in moved], run],
    )
    return done.rowcount


def put_off(connection: Connection, run: UUID, files: Sequence[Waiting], now: datetime) -> None:
    """Let files of a run go again: to be tried later, left, gone, or seen anew."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE upload SET state = %s, error = %s, code = %s, again_at = %s, failures = failures + %s, kind = %s, "
            "still_since = CASE WHEN %s THEN %s ELSE still_since END, closed = closed AND NOT %s, "
            "size_bytes = coalesce(%s, size_bytes), file = coalesce(%s, file), changed_ns = coalesce(%s, changed_ns), "
            "run = NULL, ended_at = CASE WHEN %s THEN %s::timestamptz END "
            "WHERE id = %s AND run = %s AND state IN ('reading', 'stored')",
            [
                [
                    one.state, one.error or None, one.code or None, one.again_at, int(one.failed), one.file.kind,
                    one.anew, now, one.anew, *(
                        (one.now.size, one.now.file, one.now.changed_ns) if one.now is not None else (None, None, None)
                    ),
                    one.state in {"gone", "refused"}, now, one.file.id, run,
                ]
                for one in files
            ],
        )


def hold(connection: Connection, serial: int, *, error: str, code: str, again_at: datetime, still_s: float,
         now: datetime) -> None:
    """Let all files of a tenant that are due wait for a store that is away."""
    connection.execute(
        "UPDATE upload SET state = 'waiting', error = %(error)s, code = %(code)s, again_at = %(again)s "
        "WHERE tenant_id = %(serial)s AND "
        "((state = 'received' AND (closed OR still_since + greatest(make_interval(secs => %(still)s), "
        "least(interval '1 min', (%(now)s - received_at) / 10)) <= %(now)s)) "
        "OR (state = 'waiting' AND again_at <= %(now)s))",
        {"serial": serial, "error": error, "code": code, "again": again_at, "still": still_s, "now": now},
    )


def give_back(connection: Connection, serial: int) -> list[Claimed]:
    """Take up what a dead runner left of a tenant: files being read are free again; return those to be moved."""
    connection.execute(
        "UPDATE upload SET state = 'received', run = NULL, started_at = NULL WHERE tenant_id = %s "
        "AND state = 'reading'", [serial],
    )
    found = rows(
        connection,
        "SELECT * FROM upload WHERE tenant_id = %s AND state = 'stored' ORDER BY id LIMIT 1000", [serial],
    )
    return [_claimed(row) for row in found]


def open_runs(connection: Connection, serial: int) -> list[Run]:
    """Return the runs of a tenant that have no report yet and nothing left to do; those that took nothing go."""
    connection.execute(
        "DELETE FROM intake_run WHERE tenant_id = %s AND ended_at IS NULL "
        "AND NOT EXISTS (SELECT FROM upload WHERE run = intake_run.id)", [serial],
    )
    found = rows(
        connection,
        "SELECT id, tenant_id, started_at FROM intake_run WHERE tenant_id = %s AND ended_at IS NULL AND NOT EXISTS "
        "(SELECT FROM upload WHERE run = intake_run.id AND state IN ('reading', 'stored')) ORDER BY id",
        [serial],
    )
    return [Run(**row) for row in found]


def of_run(connection: Connection, run: UUID) -> list[dict[str, Any]]:
    """Return what a run's report is made of."""
    return rows(
        connection,
        "SELECT upload.*, campaign.name AS campaign FROM upload LEFT JOIN campaign ON campaign.id = campaign_id "
        "WHERE run = %s AND upload.state IN ('parsed', 'refused') ORDER BY upload.id",
        [run],
    )


def end_run(connection: Connection, run: UUID, report: str, now: datetime) -> None:
    """Write that a run has its report."""
    connection.execute("UPDATE intake_run SET ended_at = %s, report = %s WHERE id = %s", [now, report, run])


def next_due_s(connection: Connection, serial: int, *, still_s: float, now: datetime) -> float | None:
    """Return in how many seconds a file of a tenant is due, at the earliest; None when none waits.

    What is being read is due in five minutes: by then it is done, or nobody is at it any more, since a job whose
    runners died again and again is not started by itself.
    """
    row = one(
        connection,
        "SELECT min(extract(epoch FROM CASE WHEN state = 'waiting' THEN again_at "
        "WHEN state IN ('reading', 'stored') THEN started_at + interval '5 min' WHEN closed THEN %(now)s "
        "ELSE still_since + greatest(make_interval(secs => %(still)s), "
        "least(interval '1 min', (%(now)s - received_at) / 10)) END - %(now)s))::float8 AS due FROM upload "
        "WHERE tenant_id = %(serial)s AND state IN ('received', 'waiting', 'reading', 'stored')",
        {"serial": serial, "still": still_s, "now": now},
    )
    return max(0.0, row["due"]) if row and row["due"] is not None else None


def _columns(files: Sequence[Seen]) -> tuple[list[str], list[str], list[int], list[str], list[int]]:
    return (
        [text_of(one.folder) for one in files], [text_of(one.name) for one in files], [one.size for one in files],
        [one.file for one in files], [one.changed_ns for one in files],
    )
