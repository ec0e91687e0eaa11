"""One SSH channel: what its client asks for, and bytes to and from the protocol that serves it.

No shell, no program, no forwarding: SFTP, and the old `scp`. What is not here: signing in (`server.py`).
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import asyncssh

from belvedere.intake.sftp import scp
from belvedere.intake.sftp.hands import Hands
from belvedere.intake.sftp.home import Home
from belvedere.intake.sftp.requests import Requests
from belvedere.intake.sftp.scp_source import Source
from belvedere.intake.sftp.wire import Malformed
from belvedere.kernel.logging import logger

MOST_WAITING: Final = 2 * 1024 * 1024
"""Bytes of answers that wait for a client before no more of its requests are done."""

_STALLED_S: Final = 0.05
_LOG = logger(__name__)


class Talk(Protocol):
    """What serves a channel: `Requests`, `scp.Sink` or `Source`."""

    held: bool

    @property
    def long(self) -> Callable[[], object] | None:
        """What a thread must do before it goes on."""

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""

    def go_on(self) -> None:
        """Do what waits."""

    def finish(self, work: Callable[[], object]) -> None:
        """Take what the thread did."""

    def lost(self) -> None:
        """End in the middle."""


class Channel(asyncssh.SSHServerSession[bytes]):
    """A channel of a connection that signed in."""

    def __init__(self, home: Home, hands: Hands, *, flush: bool, busy: Callable[[], int]) -> None:
        """Take the home.

        Args:
            home: whose files.
            hands: for what takes long.
            flush: a closed file waits for the disk.
            busy: how many bytes the connection has not sent yet.
        """
        self._home = home
        self._hands = hands
        self._flush = flush
        self._busy = busy
        self._channel: Any = None
        self._talk: Talk | None = None
        self._out: list[bytes] = []
        self._size = 0
        self._is_full = False
        self._works = False
        self._has_said_all = False
        self._is_over = False

    def connection_made(self, chan: Any) -> None:  # noqa: ANN401  (the library's channel)
        """Take the channel."""
        self._channel = chan

    def subsystem_requested(self, subsystem: str) -> bool:
        """Serve `sftp` and nothing else."""
        if subsystem == "sftp":
            self._talk = Requests(self._home, self._send, flush=self._flush)
        return self._talk is not None

    def exec_requested(self, command: str) -> bool:
        """Serve `scp -t` and `scp -f`; run nothing, whatever the command says."""
        wanted = scp.command(command)
        if wanted is None:
            return False
        if wanted.takes:
            self._talk = scp.Sink(self._home, self._send, wanted, flush=self._flush)
        else:
            self._talk = Source(self._home, self._send, wanted)
        return True

    def session_started(self) -> None:
        """Send what was said before the channel was ready."""
        self._pump()

    def data_received(self, data: bytes, datatype: Any) -> None:  # noqa: ANN401  (the library's)
        """Hand bytes on."""
        del datatype
        talk = self._talk
        if talk is None or self._is_over:
            return
        self._guarded(partial(talk.feed, data))
        self._pump()

    def eof_received(self) -> bool:
        """End when the client has said all."""
        self._has_said_all = True
        if not self._works:
            self._finish()
        return True

    def pause_writing(self) -> None:
        """Do no more requests: the client does not fetch its answers."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_full = False
        asyncio.get_running_loop().call_soon(self._pump)

    def connection_lost(self, exc: Exception | None) -> None:
        """End in the middle, or after the end."""
        del exc
        self._is_over = True
        if self._talk is not None and not self._works:
            self._talk.lost()

    def _send(self, data: bytes) -> None:
        self._out.append(data)
        self._size += len(data)
        if self._size > MOST_WAITING // 2 and self._talk is not None:
            self._talk.held = True

    def _pump(self) -> None:
        """Send what is there, do what waits, and read on only when both are done."""
        talk = self._talk
        if talk is None or self._is_over or self._works:
            return
        while True:
            if not self._flush_out():
                return
            stalled = self._busy() > MOST_WAITING
            if self._is_full or stalled:
                talk.held = True
                self._channel.pause_reading()
                if stalled and not self._is_full:
                    asyncio.get_running_loop().call_later(_STALLED_S, self._pump)
                return
            if talk.long is not None:
                self._works = True
                self._channel.pause_reading()
                asyncio.get_running_loop().create_task(self._work(talk, talk.long))
                return
            was_held, talk.held = talk.held, False
            if not was_held:
                break
            self._guarded(talk.go_on)
        if getattr(talk, "is_done", False):
            self._finish()
            return
        self._channel.resume_reading()

    async def _work(self, talk: Talk, work: Callable[[], object]) -> None:
        """Let a thread do what takes long, then go on."""
        result: Callable[[], object]
        with self._home.kept_open():
            try:
                found = await self._hands.do(self._home.tenant, work)
            except Exception as error:  # noqa: BLE001  (raised again where the request is answered)
                result = partial(_again, error)
            else:
                result = partial(_given, found)
            self._works = False
            self._guarded(partial(talk.finish, result))
            if self._is_over:
                talk.lost()
                return
        talk.held = True  # So that what came meanwhile is done.
        self._pump()
        if self._has_said_all and not self._works:
            self._finish()

    def _flush_out(self) -> bool:
        """Send what waits; tell whether the channel still takes it."""
        if self._out:
            data, self._out, self._size = b"".join(self._out), [], 0
            try:
                self._channel.write(data)
            except OSError:
                return False  # It is closing; `connection_lost` follows.
        return True

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do a piece of work; what goes wrong here ends this channel alone."""
        try:
            work()
        except Malformed:
            self._home.meter.error = "It did not speak the protocol."
            self._break()
        except Exception as error:  # noqa: BLE001  (one client's trouble must not be everybody's)
            _LOG.exception("a channel failed")
            self._home.meter.error = type(error).__name__
            self._break()

    def _break(self) -> None:
        if self._is_over:
            return
        self._flush_out()
        self._is_over = True
        if self._talk is not None:
            self._talk.lost()
        self._channel.abort()

    def _finish(self) -> None:
        if self._is_over or self._talk is None:
            return
        self._flush_out()
        self._is_over = True
        self._talk.lost()
        ended = getattr(self._talk, "ended", None)
        self._channel.exit(ended() if ended else 0)


def _again(error: Exception) -> object:
    raise error


def _given(found: object) -> object:
    return found
