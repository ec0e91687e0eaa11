"""`belvedere up`: start everything in order, keep it running, stop it cleanly.

The supervisor has one thread and holds no rule of the product. Its life is: lock the home, start PostgreSQL, bring the
control database up to date, start the parts, watch, and on Ctrl-C or SIGTERM stop them in the opposite order. When it
is killed the kernel tells every child to end, so nothing is left behind.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from belvedere import __version__
from belvedere.credentials.keys import source_of
from belvedere.kernel.clock import iso, utc_now
from belvedere.kernel.control import EMBEDDED, source
from belvedere.kernel.errors import Stuck
from belvedere.kernel.misspelt import misspelt
from belvedere.kernel.running import PartState, State
from belvedere.kernel.settings import Settings
from belvedere.node.home import Home
from belvedere.node.parts import Part, answers, greets
from belvedere.node.ports import Door, gateway_door, sftp_door
from belvedere.node.postgres import EmbeddedPostgres

_LOOK_S: Final = 0.1
_POSTGRES_TRIES: Final = 5
_FIRST_PAGE_S: Final = 120.0


class Supervisor:
    """One run of one home."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Take the settings, and where to tell people what happens."""
        self._settings = settings
        self._say = say
        self._home = Home(settings.home_path)
        self._postgres: EmbeddedPostgres | None = None
        self._postgres_state = PartState(name="postgres", state="stopped")
        self._parts: list[Part] = []
        self._told: dict[str, str] = {}
        self._lacking: set[str] = set()
        self._state = State(
            state="starting", version=__version__, url=settings.url, home=str(settings.home_path), pid=os.getpid(),
            started_at=iso(utc_now()),
        )

    def prepare(self) -> None:
        """Make the home and lock it.

        Raises:
            BelvedereError: the home cannot be used, another supervisor has it, or the given sealing key is none.
        """
        os.umask(0o077)
        if self._settings.master_key or self._settings.master_key_command:
            # Parts that cannot open a credential would be started again and again.
            source_of(self._settings).ring()
        self._home.prepare()
        self._home.lock()

    def run(self, ready: Callable[[], None]) -> None:
        """Start everything, call `ready` once the first page can be opened, and stay until told to stop.

        Raises:
            BelvedereError: it could not start; what had started is stopped again.
        """
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        signal.signal(signal.SIGINT, _interrupt)
        try:
            self._start()
            self._publish("running")
            self._greet()
            ready()
            self._watch()
        except KeyboardInterrupt:
            self._say("stopping")
        finally:
            self._stop()

    def _start(self) -> None:
        for sentence in misspelt():
            self._say(sentence)
        # Without its pages nothing of it is of use; every other part can wait for its port.
        Door(self._settings.host, self._settings.port).must_be_free()
        self._publish("starting")
        if source(self._settings) == EMBEDDED:
            self._postgres = EmbeddedPostgres(self._home.path, programs=self._settings.postgres_binaries)
            with self._step("PostgreSQL"):
                self._postgres.start(self._say)
            self._postgres_runs()
        with self._step("control database"):
            from belvedere.node.database import CONTROL, prepare

            superuser = self._postgres.superuser_url(CONTROL) if self._postgres else None
            prepare(self._settings, superuser, lambda made: self._say(f"  {made}"))
        self._start_parts()
        password = self._first_password()
        self._wait_for_first_page()
        if password:
            self._password = password

    def _start_parts(self) -> None:
        settings = self._settings
        environment = {**os.environ, "BELVEDERE_HOME": str(self._home.path)}

        def part(
            name: str, *arguments: str, ready: Callable[[], bool] = lambda: True, once: bool = False,
            door: Door | None = None,
        ) -> Part:
            return Part(
                name, arguments, home=self._home.path, environment=environment, ready=ready, once=once, door=door
            )

        self._web = part("web", "web", ready=lambda: answers(settings.host, settings.port))
        self._parts = [self._web, part("jobs", "jobs")]
        if settings.gateway:
            door = gateway_door(settings)
            self._parts.append(part("gateway", "gateway", ready=lambda: answers(door.host, door.port), door=door))
        if settings.intake:
            self._parts.append(part("intake", "intake"))
        if settings.sftp:
            there = sftp_door(settings)
            self._parts.append(part("sftp", "sftp", ready=lambda: greets(there.host, there.port), door=there))
        if settings.sample and not self._mark("sample-loaded").exists():
            self._parts.append(part("sample", "sample", "load", once=True))
        # The page first: on two cores the others would delay it.
        self._web.start()

    def _first_password(self) -> str:
        """Make the first operator account while the web part loads; only the first start pays for the import."""
        mark = self._mark("first-account")
        if mark.exists():
            return ""
        from belvedere.app import build

        services = build(self._settings)
        try:
            made = services.accounts.first()
        finally:
            services.close()
        mark.touch(mode=0o600)
        return made.reveal() if made else ""

    _password: str = ""

    def _mark(self, name: str) -> Path:
        """Return the file that says that something was done once and for all in this home."""
        return self._home.path / "run" / name

    def _wait_for_first_page(self) -> None:
        with self._step("first page"):
            deadline = time.monotonic() + _FIRST_PAGE_S
            while not self._web.up:
                self._web.look()
                if self._web.state.state == "restarting" and self._web.state.restarts > 1:
                    message = f"The web part does not start. It {self._web.state.note.split(';')[0]}."
                    raise Stuck(message, hint=f"read {self._home.path}/logs/web.out", code="web")
                if time.monotonic() > deadline:
                    message = f"The web part has not answered for {_FIRST_PAGE_S:.0f} s."
                    raise Stuck(message, hint=f"read {self._home.path}/logs/web.out", code="web")
                time.sleep(0.02)
        for one in self._parts:
            if one is not self._web:
                one.start()
                # Said before a detached start gives the terminal back.
                self._tell(one.state)

    def _greet(self) -> None:
        self._say("")
        self._say(f"Belvedere {__version__} is at {self._settings.url}")
        if self._password:
            self._say(f"sign in as admin with the password {self._password}")
            self._say("it is shown this once; you will be asked to change it")
            self._password = ""
        self._say("")

    def _watch(self) -> NoReturn:
        while True:
            self._look_at_postgres()
            for one in self._parts:
                one.look()
                self._tell(one.state)
            self._publish("running" if all(one.up for one in self._parts) else "partial")
            time.sleep(_LOOK_S)

    def _tell(self, state: PartState) -> None:
        before = self._told.get(state.name)
        if before == state.state:
            return
        self._told[state.name] = state.state
        if state.state in {"restarting", "failed", "waiting", "partial"}:
            self._say(f"{state.name} {state.note}{f' Try: {state.hint}' if state.hint else ''}")
            self._lacking.add(state.name)
        elif state.state == "running" and state.name in self._lacking:
            self._lacking.remove(state.name)
            self._say(f"{state.name} {'runs again' if state.restarts else 'listens'}")
        elif state.state == "done" and before:
            self._say(f"{state.name} {state.state}")
        if state.name == "sample" and state.state == "done":
            self._mark("sample-loaded").touch(mode=0o600)

    def _look_at_postgres(self) -> None:
        server = self._postgres
        if server is None or server.process is None or server.process.poll() is None:
            return
        self._say(f"PostgreSQL ended with code {server.process.returncode}; starting it again")
        self._postgres_state.state = "restarting"
        self._publish("partial")
        for attempt in range(_POSTGRES_TRIES):
            try:
                server.start(self._say)
            except Stuck as error:
                if attempt == _POSTGRES_TRIES - 1:
                    raise
                self._say(error.detail)
                time.sleep(2.0**attempt)
            else:
                self._postgres_state.restarts += 1
                self._postgres_runs()
                self._say("PostgreSQL runs again")
                return

    def _postgres_runs(self) -> None:
        self._postgres_state.state = "running"
        self._postgres_state.pid = self._postgres.pid if self._postgres else None
        self._postgres_state.since = iso(utc_now())

    def _publish(self, state: str) -> None:
        parts = [self._postgres_state] if self._postgres else []
        self._state.state = state
        self._state.parts = [*parts, *(one.state for one in self._parts)]
        if self._state != self._published:
            import msgspec

            self._home.write_state(self._state)
            self._published = msgspec.convert(msgspec.to_builtins(self._state), State)

    _published: State | None = None

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._say(f"{name} ready in {time.monotonic() - began:.1f} s")

    def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        with suppress(OSError):
            self._publish("stopping")
        for one in reversed(self._parts):
            one.stop()
        if self._postgres is not None:
            self._postgres.stop()
        self._parts, self._postgres = [], None
        self._state.pid = None
        with suppress(OSError):
            self._publish("stopped")
        self._home.unlock()


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def leave_terminal() -> None:
    """Let go of the terminal for good: nobody reads what a detached supervisor says any more."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    sys.stdout.flush()
