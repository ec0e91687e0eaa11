"""An index of the history's files for searching: SQLite, one per host, a cache that is rebuilt when it is lost.

The files are the truth. The index holds what the page lists and where in which file it stands; the detail of
one action is read from the file again (`service.py`). It needs no server, so a host without the control
database searches as well. What is not here: the control database (`postgres.py`).
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString
from uuid import UUID

from belvedere.audit import log, record
from belvedere.audit.model import Action, Result
from belvedere.kernel.errors import Later

_VERSION: Final = 1
_MARK: Final = "PRAGMA user_version = 1"
_EMPTY: Final = ("DELETE FROM file", "DELETE FROM action", "DELETE FROM repair")
_DROP: Final = ("DROP TABLE IF EXISTS file", "DROP TABLE IF EXISTS action", "DROP TABLE IF EXISTS repair")
_BUSY_S: Final = 30.0

_SCHEMA: Final = """
CREATE TABLE file (name text PRIMARY KEY, chain text NOT NULL, bytes integer NOT NULL, lines integer NOT NULL);
CREATE TABLE action (
    id text PRIMARY KEY, at text NOT NULL DEFAULT '', person text NOT NULL DEFAULT '', role text NOT NULL DEFAULT '',
    door text NOT NULL DEFAULT '', origin text NOT NULL DEFAULT '', verb text NOT NULL DEFAULT '',
    target text NOT NULL DEFAULT '', tenant integer, result text NOT NULL DEFAULT 'running', duration_ms real,
    request_id text NOT NULL DEFAULT '', error text NOT NULL DEFAULT '', count integer NOT NULL DEFAULT 1,
    arguments text NOT NULL DEFAULT '{}', ending text NOT NULL DEFAULT '{}', file text NOT NULL DEFAULT '',
    line integer NOT NULL DEFAULT 0, at_byte integer NOT NULL DEFAULT 0, bytes integer NOT NULL DEFAULT 0,
    haystack text NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX action_at ON action (at DESC, id DESC) WHERE at <> '';
CREATE INDEX action_tenant ON action (tenant, at DESC, id DESC) WHERE at <> '';
CREATE INDEX action_person ON action (person, at DESC, id DESC) WHERE at <> '';
CREATE INDEX action_verb ON action (verb, at DESC, id DESC) WHERE at <> '';
CREATE INDEX action_running ON action (file) WHERE result = 'running';
CREATE TABLE repair (file text PRIMARY KEY, at_byte integer NOT NULL);
"""

_ASKED: Final = """
INSERT INTO action (id, at, person, role, door, origin, verb, target, tenant, request_id, arguments, file, line,
    at_byte, bytes, haystack)
VALUES (:id, :at, :actor, :role, :door, :origin, :verb, :target, :tenant, :request_id, :arguments, :file, :n,
    :at_byte, :bytes, :haystack)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, person = excluded.person, role = excluded.role, door = excluded.door,
    origin = excluded.origin, verb = excluded.verb, target = excluded.target, tenant = excluded.tenant,
    request_id = excluded.request_id, arguments = excluded.arguments, file = excluded.file, line = excluded.line,
    at_byte = excluded.at_byte, bytes = excluded.bytes, haystack = excluded.haystack
"""

_ENDED: Final = """
INSERT INTO action (id, result, duration_ms, error, count, ending)
VALUES (:id, :result, :duration_ms, :error, :count, :ending)
ON CONFLICT (id) DO UPDATE SET result = excluded.result, duration_ms = excluded.duration_ms, error = excluded.error,
    count = excluded.count, ending = excluded.ending
"""

_CONDITIONS: Final[dict[str, LiteralString]] = {
    "person": "person = :person",
    "verb": "(verb = :verb OR verb LIKE :verb || '.%')",
    "target": "target = :target",
    "result": "result = :result",
    "tenant": "tenant = :tenant",
    "since": "at >= :since",
    "until": "at < :until",
    "text": "instr(haystack, :text) > 0",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which actions. Empty means any; `verb` also matches a whole noun (`tenant`); `text` looks everywhere."""

    text: str = ""
    person: str = ""
    verb: str = ""
    target: str = ""
    result: str = ""
    tenant: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def values(self) -> dict[str, object]:
        """Return the values of the statement."""
        return {
            "text": self.text.strip().casefold(), "person": self.person, "verb": self.verb, "target": self.target,
            "result": self.result, "tenant": self.tenant, "since": record.stamp(self.since) if self.since else "",
            "until": record.stamp(self.until) if self.until else "",
        }  # fmt: skip

    def where(self) -> LiteralString:
        """Return the conditions that are set, so that the index of the narrowest is used."""
        wanted = [condition for name, condition in _CONDITIONS.items() if self.values()[name] not in {"", None}]
        return " AND ".join(["at <> ''", *wanted])


@dataclass(frozen=True, slots=True)
class Open:
    """An action that has not ended, and the chain whose process would end it."""

    id: str
    chain: str
    verb: str
    target: str


@dataclass(frozen=True, slots=True)
class Torn:
    """A file that does not end with a whole line, and from which byte on."""

    file: str
    at_byte: int


class Index:
    """The index of one folder. Every call opens its own connection, so that threads and forks share nothing."""

    def __init__(self, folder: Path, host: str) -> None:
        """Take the folder of the history; hosts that share it have an index each, for locks over NFS do not carry."""
        self._folder = folder
        safe = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in host) or "host"
        self.path = folder / f"index-{safe}.sqlite"

    def catch_up(self) -> None:
        """Take in what all processes have written since the last call."""
        with self._connection() as connection:
            known = {row["name"]: row["bytes"] for row in connection.execute("SELECT name, bytes FROM file")}
            sizes = {name: _size(self._folder / str(name)) for name in log.files(self._folder)}
            if {str(name): size for name, size in sizes.items()} == known:
                return
            connection.execute("BEGIN IMMEDIATE")
            self._take_in(connection, sizes)
            connection.execute("COMMIT")

    def _take_in(self, connection: sqlite3.Connection, sizes: dict[record.FileName, int]) -> None:
        known = {row["name"]: row for row in connection.execute("SELECT * FROM file")}
        gone = set(known) - {str(name) for name in sizes}
        cut = {str(name) for name, size in sizes.items() if str(name) in known and size < known[str(name)]["bytes"]}
        if gone or cut:
            # Somebody removed or cut a file: `verify` says so; the index shows what the files hold now.
            for statement in _EMPTY:
                connection.execute(statement)
            known = {}
        for name, size in sizes.items():
            row = known.get(str(name))
            start, lines = (row["bytes"], row["lines"]) if row else (0, 0)
            if size > start or row is None:
                self._read_on(connection, name, start, lines)

    def _read_on(self, connection: sqlite3.Connection, name: record.FileName, start: int, lines: int) -> None:
        asked, ended, at_byte = [], [], start
        with (self._folder / str(name)).open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                lines += 1
                members = record.read(line) or {}
                place = {"file": str(name), "at_byte": at_byte, "bytes": len(line), "n": lines}
                at_byte += len(line)
                if members.get("kind") in {"asked", "summary"}:
                    asked.append(_asked_row(members) | place)
                if members.get("kind") in {"ended", "summary"}:
                    ended.append(_ended_row(members))
                if members.get("kind") == "repaired":
                    values = [str(members.get("file")), members.get("at_byte") or 0]
                    connection.execute("INSERT OR REPLACE INTO repair (file, at_byte) VALUES (?, ?)", values)
        connection.executemany(_ASKED, asked)
        connection.executemany(_ENDED, ended)
        connection.execute(
            "INSERT OR REPLACE INTO file (name, chain, bytes, lines) VALUES (?, ?, ?, ?)",
            [str(name), name.chain, at_byte, lines],
        )

    def search(self, wanted: Filter, *, after: tuple[str, str] | None, limit: int) -> tuple[list[Action], int]:
        """Return the newest actions that fit, starting after the key of one, and how many fit in all."""
        key = {"after_at": after[0], "after_id": after[1]} if after else {}
        values = wanted.values() | {"limit": limit} | key
        where = wanted.where()
        begin: LiteralString = " AND (at, id) < (:after_at, :after_id)" if after else ""
        with self._connection() as connection:
            statement = "SELECT * FROM action WHERE " + where + begin  # noqa: S608  (constants of this file)
            found = connection.execute(statement + " ORDER BY at DESC, id DESC LIMIT :limit", values).fetchall()
            total = len(found)
            if after or len(found) == limit:
                counting = "SELECT count(*) FROM action WHERE " + where  # noqa: S608  (same)
                total = connection.execute(counting, values).fetchone()[0]
        return [_action(row) for row in found], total

    def find(self, action_id: UUID) -> tuple[Action, int, int] | None:
        """Return one action, and from which byte on how many bytes its `asked` record takes in its file."""
        with self._connection() as connection:
            row = connection.execute("SELECT * FROM action WHERE id = ? AND at <> ''", [str(action_id)]).fetchone()
        return (_action(row), row["at_byte"], row["bytes"]) if row else None

    def distinct(self, column: str, tenant: int | None) -> list[str]:
        """Return the persons or the verbs that stand in the history, for a choice on the page."""
        statements: dict[str, LiteralString] = {
            "person": "SELECT DISTINCT person FROM action WHERE at <> ''",
            "verb": "SELECT DISTINCT verb FROM action WHERE at <> ''",
        }
        fence: LiteralString = " AND tenant = :tenant" if tenant is not None else ""
        with self._connection() as connection:
            found = connection.execute(statements[column] + fence, {"tenant": tenant})
            return sorted((row[0] for row in found), key=str.casefold)

    def running(self) -> list[Open]:
        """Return the actions that have not ended."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT action.id, file.chain, verb, target FROM action JOIN file ON file.name = action.file "
                "WHERE result = 'running' AND action.file <> ''"
            ).fetchall()
        return [Open(row["id"], row["chain"], row["verb"], row["target"]) for row in found]

    def torn(self) -> list[Torn]:
        """Return the files that end in half a line which no record has noted yet."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT name, bytes FROM file WHERE name NOT IN (SELECT file FROM repair)"
            ).fetchall()
        ends = [Torn(row["name"], row["bytes"]) for row in found]
        return [end for end in ends if _size(self._folder / end.file) > end.at_byte or end.at_byte == 0]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with closing(self._opened()) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                for end in ("", "-wal", "-shm"):  # Not a database any more: the next call builds it anew.
                    self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            message = f"The index of the history cannot be read ({error})."
            raise Later(message, retry_in_s=1.0, code="history-index") from error

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # A cache: after a power cut it is built again.
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                self._make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            for statement in (*_DROP, *_SCHEMA.split(";"), _MARK):
                connection.execute(statement)
        connection.execute("COMMIT")
        self.path.chmod(0o600)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _asked_row(members: dict[str, Any]) -> dict[str, Any]:
    texts = ("id", "at", "actor", "role", "door", "origin", "verb", "target", "request_id")
    row: dict[str, Any] = {name: str(members.get(name) or "") for name in texts}
    row["tenant"] = members.get("tenant")
    row["arguments"] = json.dumps(members.get("arguments") or {}, ensure_ascii=False)
    said = [row[name] for name in ("actor", "verb", "target", "origin", "door", "id", "request_id")]
    row["haystack"] = "\n".join([*said, row["arguments"]]).casefold()
    return row


def _ended_row(members: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(members.get("id") or ""), "result": str(members.get("result") or Result.SUCCEEDED),
        "duration_ms": members.get("duration_ms"), "error": str(members.get("error") or ""),
        "count": int(members.get("count") or 1), "ending": json.dumps(members.get("ending") or {}, ensure_ascii=False),
    }  # fmt: skip


def _action(row: sqlite3.Row) -> Action:
    same: Sequence[str] = (
        "role", "door", "origin", "verb", "target", "tenant", "duration_ms", "request_id", "error", "count", "file",
        "line",
    )  # fmt: skip
    return Action(
        id=UUID(row["id"]), at=datetime.fromisoformat(row["at"]), actor=row["person"], result=Result(row["result"]),
        arguments=json.loads(row["arguments"]), ending=json.loads(row["ending"]), **{name: row[name] for name in same},
    )  # fmt: skip
