"""One SSH connection to the embedded server: who it is, proven, and the channels that it opens.

Asynchronous, as `server.py`. What is not here: what a channel carries (`channel.py`).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

import asyncssh

from belvedere.intake.model import Happening, Notice, Via
from belvedere.intake.sftp.channel import Channel
from belvedere.intake.sftp.hands import Hands
from belvedere.intake.sftp.home import Home, Meter
from belvedere.intake.sftp.model import Known, State, Traffic, User
from belvedere.intake.sftp.sessions import Begun
from belvedere.kernel.errors import BelvedereError, TooMany
from belvedere.kernel.logging import logger
from belvedere.kernel.secret import Secret

if TYPE_CHECKING:
    from belvedere.intake.sftp.server import Server

MOST_TRIES: Final = 6
MOST_NAMES: Final = 3
MOST_KEYS_OFFERED: Final = 20
MOST_CHANNELS: Final = 10
WINDOW: Final = 4 * 1024 * 1024
LONGEST_PACKET: Final = 262_144
_LOG = logger(__name__)


class Connection(asyncssh.SSHServer):
    """One connection, from its first byte to its last."""

    def __init__(self, server: "Server") -> None:
        """Take the server that it belongs to."""
        self._server = server
        self._connection: Any = None
        self._known: Known | None = None
        self._name = ""
        self._tries = 0
        self._names = 0
        self._offered = 0
        self._method = ""
        self._channels = 0
        self._home: Home | None = None
        self._told = 0
        self._is_gone = False
        self._begins: asyncio.Future[None] | None = None
        self.begun: Begun | None = None
        self.state = State.ENDED
        self.origin = ""
        self.active_at = time.monotonic()
        self.seen = Traffic()

    # --- the library asks ---

    def connection_made(self, conn: Any) -> None:  # noqa: ANN401  (the library's connection)
        """Count it, and send it away where there are too many."""
        self._connection = conn
        self.origin = str((conn.get_extra_info("peername") or ("unknown",))[0])
        if not self._server.enter(self):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the books."""
        del exc
        self._is_gone = True
        self._server.leave(self)

    async def begin_auth(self, username: str) -> bool:
        """Look up who that is. Everybody must prove it, known or not."""
        self._names += 1
        self._name, self._known = username, None
        if self._names > MOST_NAMES:
            go_away("Too many names.")
        self._known = await self._asked(self._server.sessions.find, username)
        return True

    def password_auth_supported(self) -> bool:
        """Take passwords."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Check a password. Each try counts as failed before it is looked at."""
        self._tries += 1
        if self._tries > MOST_TRIES:
            go_away("Too many tries.")
        check = partial(self._server.sessions.check, self._known, username, Secret(password), self.origin)
        if await self._asked(check):
            self._method = "password"
            return True
        await self._refuse("wrong password" if self._known else "no such user")
        return False

    def public_key_auth_supported(self) -> bool:
        """Take keys."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Tell whether a key is one of the user's; the library then asks for the proof."""
        del username
        self._offered += 1
        if self._offered > MOST_KEYS_OFFERED:
            go_away("Too many keys.")
        line = key.export_public_key().decode("ascii").strip().split(" ")
        found = " ".join(line[:2])
        mine = next((one for one in self._known.user.keys if one.line == found), None) if self._known else None
        self._method = mine.fingerprint if mine else self._method
        return mine is not None

    async def auth_completed(self) -> None:
        """Open the session; channels wait for it."""
        self._begins = asyncio.get_running_loop().create_future()
        try:
            await self._begin()
        except asyncssh.DisconnectError as error:
            self._connection.disconnect(error.code, error.reason)
        finally:
            self._begins.set_result(None)

    def session_requested(self) -> Any:  # noqa: ANN401  (the library takes a channel and a session to wait for)
        """Open a channel."""
        self._channels += 1
        if self._channels > MOST_CHANNELS:
            return False
        channel = self._connection.create_server_channel(None, "strict", WINDOW, LONGEST_PACKET)
        return channel, self._channel()

    # --- what follows ---

    @property
    def meter(self) -> Meter | None:
        """What went over it so far."""
        return self._home.meter if self._home else None

    @property
    def user(self) -> User | None:
        """Who signed in."""
        return self.begun.user if self.begun else None

    def end(self, state: State, why: str) -> None:
        """Cut it off."""
        self.state = state
        if self._home is not None and state is not State.ENDED:
            self._home.meter.error = why
        self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, why)
        # A client that reads nothing would not notice.
        asyncio.get_running_loop().call_later(1.0, self._connection.abort)

    def shut(self) -> None:
        """Let go of the home."""
        if self._home is not None:
            self._home.close()

    async def _begin(self) -> None:
        if self._known is None:  # pragma: no cover  (nobody unknown passes)
            go_away("Nobody.")
        user = self._known.user
        if not self._server.has_room(user, self.origin):
            await self._refuse("too many sessions")
            go_away("Too many sessions of this user or from this address.")
        client = str(self._connection.get_extra_info("client_version") or "")
        begin = partial(
            self._server.sessions.begin, user, origin=self.origin, client=client.removeprefix("SSH-2.0-"),
            method=self._method, server=self._server.name,
        )
        self.begun = await self._asked(begin)
        try:
            self._home = Home(
                self._server.options.root, user.tenant_name, user.folder, permissions=frozenset(user.permissions),
                quota=self._server.quota(user), tell=self._tell, owner=user.name,
            )
        except OSError as error:
            _LOG.error("a home cannot be opened", home=user.home, reason=error.strerror)
            if self._is_gone:
                self._server.leave(self)
            go_away("Your home cannot be opened. Ask who runs this server.")
        if self._is_gone:  # It left while its session was opened.
            self._server.leave(self)
        else:
            self._server.join(self)

    async def _channel(self) -> Channel:
        if self._begins is not None:
            await asyncio.shield(self._begins)
        if self._home is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "No home")
        return Watched(self, self._home, self._server.hands, flush=self._server.options.flush, busy=self._unsent)

    def _unsent(self) -> int:
        # The library knows no more than each channel's window; what a socket does not take waits in its transport.
        transport = getattr(self._connection, "_transport", None)
        return int(transport.get_write_buffer_size()) if transport is not None else 0

    def _tell(self, what: Happening, path: str) -> None:
        if self.begun is None:  # pragma: no cover
            return
        self._told += 1
        self._server.tell(Notice(
            self.begun.user.tenant_name, path, what, Via.SFTP, f"sftp:{self.begun.id}:{self._told}",
        ))  # fmt: skip

    async def _asked(self, work: Callable[..., Any], *values: object) -> Any:  # noqa: ANN401  (what the work returns)
        """Ask the control database in a thread; while it is away nobody signs in."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._server.askers, partial(work, *values))
        except TooMany as error:
            await self._refuse("too many failures")
            go_away(error.detail)
        except BelvedereError as error:
            go_away(f"Nobody can sign in right now. {error.detail}")

    async def _refuse(self, why: str) -> None:
        refuse = partial(self._server.sessions.refused, self._known, self.origin, why)
        with contextlib.suppress(BelvedereError):
            await asyncio.get_running_loop().run_in_executor(self._server.askers, refuse)


class Watched(Channel):
    """A channel that says when something came over it."""

    def __init__(self, connection: Connection, home: Home, hands: Hands, **rest: Any) -> None:  # noqa: ANN401
        """Take the connection that is told."""
        super().__init__(home, hands, **rest)
        self._connection = connection

    def data_received(self, data: bytes, datatype: Any) -> None:  # noqa: ANN401  (the library's)
        """Note the time, and hand bytes on."""
        self._connection.active_at = time.monotonic()
        super().data_received(data, datatype)


def go_away(why: str) -> NoReturn:
    """End a connection that has not signed in yet, with a sentence for whoever sits at the other end."""
    raise asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, why)
