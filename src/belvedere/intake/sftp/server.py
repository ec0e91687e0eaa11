"""The embedded SFTP server: SSH connections, who may open them, how long they stay, and what is said of them.

The second asynchronous door besides `live.py`: one loop serves all connections, files are read and written in it (the
kernel keeps them in memory), and everything that asks the control database runs in a few threads. What is not here:
what a channel carries (`channel.py`), users and sessions as rows (`sessions.py`).
"""

import asyncio
import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncssh

from belvedere.intake.model import Notice
from belvedere.intake.sftp.connection import Connection
from belvedere.intake.sftp.hands import Hands
from belvedere.intake.sftp.home import Meter
from belvedere.intake.sftp.model import State, User
from belvedere.intake.sftp.quota import Quota
from belvedere.intake.sftp.sessions import SftpSessions, Standing
from belvedere.intake.sftp.uploads import forget_old
from belvedere.kernel.errors import BelvedereError
from belvedere.kernel.logging import logger

CIPHERS: Final = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr", "chacha20-poly1305@openssh.com",
)  # fmt: skip
MOST_STRANGERS: Final = 100
"""Connections that have not signed in yet, in all."""

_TICK_S: Final = 2.0
_HEARTBEAT_S: Final = 20.0
_PARTING_S: Final = 3.0
_TIDY_S: Final = 6 * 3600.0
_NOTICE_S: Final = 0.1
_MOST_NOTICES: Final = 500
_LOG = logger(__name__)

Tell = Callable[[Sequence[Notice]], object]


@dataclass(frozen=True, slots=True)
class Options:
    """How a server is run. Times are seconds; `most_*` count connections that signed in."""

    root: Path
    host: str
    port: int
    host_keys: tuple[Path, ...]
    idle_s: float = 600.0
    sign_in_s: float = 30.0
    most_per_user: int = 20
    most_per_origin: int = 50
    flush: bool = False


class Server:
    """All connections of one process."""

    def __init__(self, options: Options, sessions: SftpSessions, tell: Tell) -> None:
        """Take the collaborators.

        Args:
            options: where and how.
            sessions: who may sign in, and what is kept of it.
            tell: takes notices of what came, in a thread.
        """
        self.options = options
        self.sessions = sessions
        self.name = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"
        self.askers = ThreadPoolExecutor(4, "sftp-ask")
        self.hands = Hands()
        self._tell = tell
        self._strangers: set[Connection] = set()
        self._connections: set[Connection] = set()
        self._ended: list[Standing] = []
        self._quotas: dict[UUID, Quota] = {}
        self._notices: list[Notice] = []
        self._woken = asyncio.Event()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._endings: set[asyncio.Future[None]] = set()
        self._empty: asyncio.Event | None = None

    async def start(self) -> int:
        """Listen, and return the port.

        Raises:
            OSError: this machine cannot listen there.
        """
        self.options.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._acceptor = await asyncssh.create_server(
            lambda: Connection(self), self.options.host, self.options.port, backlog=128,
            server_host_keys=[str(path) for path in self.options.host_keys], encryption_algs=list(CIPHERS),
            compression_algs=["none"], login_timeout=self.options.sign_in_s, server_version="Belvedere",
            allow_pty=False, agent_forwarding=False, x11_forwarding=False, gss_host=None, config=(),
            keepalive_interval=30, keepalive_count_max=4, encoding=None, line_editor=False,
        )
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._say())]
        return int(self._acceptor.get_port())

    async def stop(self) -> None:
        """Take no more, cut off who is there (what they sent so far is kept), and say what is still to be said."""
        if self._acceptor is not None:
            self._acceptor.close()
        for one in [*self._connections, *self._strangers]:
            one.end(State.ENDED, "The server stops.")
        if self._connections or self._strangers:
            self._empty = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), _PARTING_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._endings, return_exceptions=True)
        await self._send_notices()
        await self._keep(all_of_them=True)
        self.askers.shutdown()
        self.hands.close()

    # --- connections ask ---

    def enter(self, connection: Connection) -> bool:
        """Count a connection that has not signed in; tell whether it may try."""
        here = Counter(one.origin for one in self._strangers)[connection.origin]
        if len(self._strangers) >= MOST_STRANGERS or here >= max(10, self.options.most_per_origin):
            return False
        self._strangers.add(connection)
        return True

    def has_room(self, user: User, origin: str) -> bool:
        """Tell whether one more session of a user and from an address may be."""
        same = sum(1 for one in self._connections if one.user is not None and one.user.id == user.id)
        from_there = sum(1 for one in self._connections if one.origin == origin)
        return same < self.options.most_per_user and from_there < self.options.most_per_origin

    def join(self, connection: Connection) -> None:
        """Count a connection that signed in."""
        self._strangers.discard(connection)
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """Close the books of a connection; its channels have ended before it."""
        self._strangers.discard(connection)
        self._connections.discard(connection)
        begun, meter = connection.begun, connection.meter
        connection.shut()
        if self._empty is not None and not self._connections and not self._strangers:
            self._empty.set()
        if begun is None:
            return
        traffic = (meter or Meter()).read()
        self._ended.append(Standing(begun.id, connection.state, traffic))
        loop = asyncio.get_running_loop()
        ending = loop.run_in_executor(self.askers, self.sessions.record, begun, connection.state, traffic)
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    def quota(self, user: User) -> Quota:
        """Return the one count of a user's home that all its sessions share."""
        known = self._quotas.get(user.id)
        if known is None or (known.most_bytes, known.most_files) != (user.quota_bytes, user.quota_files):
            known = self._quotas[user.id] = Quota(user.quota_bytes, user.quota_files)
        return known

    def tell(self, notice: Notice) -> None:
        """Note what happened; it is stored with others, soon."""
        self._notices.append(notice)
        self._woken.set()

    # --- by itself ---

    async def _watch(self) -> None:
        """End who is idle or must go; keep how sessions are; tidy up now and then."""
        said_at, tidy_at = 0.0, 0.0
        while True:
            now = time.monotonic()
            for one in list(self._connections):
                if now - one.active_at > self.options.idle_s:
                    one.end(State.IDLE, f"Nothing came for {self.options.idle_s:.0f} s.")
            await self._keep(all_of_them=now - said_at > _HEARTBEAT_S)
            said_at = now if now - said_at > _HEARTBEAT_S else said_at
            await self._kill()
            if now > tidy_at:
                tidy_at = now + _TIDY_S
                await self._in_thread("tidying up failed", self._tidy)
            await asyncio.sleep(_TICK_S)

    async def _keep(self, *, all_of_them: bool) -> None:
        standing, ended = [], len(self._ended)
        for one in self._connections:
            if one.begun is None or one.meter is None:
                continue
            traffic = one.meter.read()
            if one.seen != traffic:
                one.seen, one.active_at = traffic, time.monotonic()
            elif not all_of_them:
                continue
            standing.append(Standing(one.begun.id, State.OPEN, traffic))
        if await self._in_thread("sessions cannot be kept", self.sessions.keep, [*standing, *self._ended[:ended]]):
            del self._ended[:ended]

    async def _kill(self) -> None:
        if not self._connections:
            return
        doomed: dict[UUID, str] = {}
        if await self._in_thread("sessions cannot be looked up",
                                 lambda: doomed.update(self.sessions.to_end(self.name))):
            for one in list(self._connections):
                if one.begun is not None and one.begun.id in doomed:
                    one.end(State.KILLED, f"This session was ended: {doomed[one.begun.id]}.")

    def _tidy(self) -> None:
        forget_old(self.options.root, time.time())
        self.sessions.forget_old()

    async def _say(self) -> None:
        """Store notices, many at once, so that a file costs no transaction of its own."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(_NOTICE_S)
            self._woken.clear()
            await self._send_notices()

    async def _send_notices(self) -> None:
        while self._notices:
            batch, self._notices = self._notices[:_MOST_NOTICES], self._notices[_MOST_NOTICES:]
            # What cannot be stored is let go: the file is there, and the look at the folders finds it.
            await self._in_thread("notices are left to the look at the folders", self._tell, batch)

    async def _in_thread(self, trouble: str, work: Callable[..., object], *values: object) -> bool:
        """Do work in a thread; tell whether it could be done."""
        try:
            await asyncio.get_running_loop().run_in_executor(self.askers, partial(work, *values))
        except BelvedereError as error:
            _LOG.warning(trouble, reason=error.detail)
        except Exception:  # noqa: BLE001  (whatever it is, the server goes on serving)
            _LOG.exception(trouble)
        else:
            return True
        return False
