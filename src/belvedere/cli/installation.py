"""Commands about the installation itself: start, stop, state, database, settings, parts, reset.

What is not here: how any of it is done (`node/`); backup and restore (`cli/archive.py`).
"""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import click

from belvedere.cli import output
from belvedere.kernel.errors import Rejected, Stuck
from belvedere.kernel.settings import Settings, described, load

if TYPE_CHECKING:
    from belvedere.kernel.running import State

_READY_PIPE: Final = "BELVEDERE_READY_PIPE"
_STOPPING_S: Final = 180.0
_PATIENCE_S: Final = 3.0


@click.command(epilog="Example: PORT=8051 belvedere up --detach")
@click.option("--detach", is_flag=True, help="Return once the first page can be opened, and run on in the background.")
def up(*, detach: bool) -> None:
    """Start the whole installation: PostgreSQL, pages and API, runner of jobs.

    It stays in the foreground, says what it does step by step, and stops cleanly on Ctrl-C. HOST, PORT and
    BELVEDERE_HOME say where; a `.env` file in the current folder is read.
    """
    if detach:
        _detach()
        return
    from belvedere.kernel.logging import configure, logger
    from belvedere.node.supervisor import Supervisor, leave_terminal

    settings = load()
    log = logger("belvedere.node")

    def say(text: str) -> None:
        click.echo(text)
        if text and "password" not in text:
            log.info(text)

    def ready() -> None:
        pipe = os.environ.pop(_READY_PIPE, "")
        if pipe:
            leave_terminal()
            os.write(int(pipe), b"ready")
            os.close(int(pipe))
        else:
            click.echo("Ctrl-C stops it.")

    def run() -> None:
        supervisor = Supervisor(settings, say)
        supervisor.prepare()
        configure(settings, part="supervisor", screen=False)
        supervisor.run(ready)

    run()


def _detach() -> None:
    """Start a supervisor in a session of its own; it writes to this terminal until it is ready."""
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "belvedere.cli.main", "up"], stdin=subprocess.DEVNULL, start_new_session=True,
        pass_fds=[writer], env={**os.environ, _READY_PIPE: str(writer)},
    )
    os.close(writer)
    try:
        said = os.read(reader, 16)
    except KeyboardInterrupt:
        child.send_signal(signal.SIGINT)
        child.wait()
        raise
    finally:
        os.close(reader)
    if said != b"ready":
        raise click.exceptions.Exit(child.wait())
    # The supervisor outlives this command on purpose.
    child.returncode = 0


@click.command(epilog="Example: belvedere down")
def down() -> None:
    """Stop the installation of this home; done when every process of it has ended, PostgreSQL too."""
    from belvedere.kernel.running import locked, processes, read_state, running

    settings = load()
    home = settings.home_path
    found = running(settings)
    told = found or read_state(home)
    if found is None and not processes(told):
        output.show({"stopped": False}, f"Nothing runs in {home}.")
        return
    if found is not None and found.pid is not None:
        try:
            os.kill(found.pid, signal.SIGTERM)
        except PermissionError:
            message = f"The installation in {home} was started by another user."
            raise Rejected(message, hint="belvedere down as that user, or as root", code="home-owner") from None
        except ProcessLookupError:
            pass
    # The lock goes before the supervisor has quite ended; and one that was killed leaves parts that are still ending.
    _wait(lambda: processes(told) or ({"supervisor": 0} if locked(home) else {}))
    output.show({"stopped": True}, f"Stopped {told.url}." if told else "Stopped.")


def _wait(left: Callable[[], Mapping[str, int]]) -> None:
    """Wait until nothing is left; say of what once it takes a while."""
    began = time.monotonic()
    said = False
    while still := left():
        waited = time.monotonic() - began
        if waited > _STOPPING_S:
            names = ", ".join(f"{name} (process {pid})" if pid else name for name, pid in still.items())
            message = f"Waited {_STOPPING_S:.0f} s, and these have not ended: {names}."
            numbers = " ".join(str(pid) for pid in still.values() if pid)
            raise Stuck(message, hint=f"kill {numbers}" if numbers else "belvedere status", code="not-stopping")
        if not said and waited > _PATIENCE_S:
            said = True
            output.note(f"waiting for {', '.join(still)} to end")
        time.sleep(0.05)


@click.command(epilog="Example: belvedere status --json | jq -r .state")
def status() -> None:
    """Show the address, the version and the parts with their state.

    `--json`: `{"state": "running|partial|starting|stopping|stopped", "url", "version", "home", "pid", "parts": [...]}`.
    """
    from belvedere.node.home import status as read

    found = read(load())
    output.show(found, lambda: _print_status(found))


def _print_status(found: "State") -> None:
    output.facts({"url": found.url, "version": found.version, "home": found.home})
    click.echo(f"state    {output.state_text(found.state)}")
    if found.parts:
        click.echo("")
        output.table(
            ["PART", "PID", "RESTARTS", "SINCE", "STATE", "NOTE"],
            [[one.name, one.pid, one.restarts, one.since, one.state, one.note] for one in found.parts],
        )
        for one in found.parts:
            if one.hint:
                output.note(f"{one.name}: try: {one.hint}")


@click.command("init-db", epilog="Example: MASTER_DB_HOST=db.example belvedere init-db")
def init_db() -> None:
    """Make the control database and its role when they are missing, and bring the schema up to date.

    The server is the one of BELVEDERE_DATABASE_URL or MASTER_DB_*, else the embedded one. Again, it does what has
    become possible since: TimescaleDB that was installed or updated.
    """
    from belvedere.kernel.control import EMBEDDED, source
    from belvedere.node.database import CONTROL, prepare
    from belvedere.node.home import Home
    from belvedere.node.postgres import EmbeddedPostgres

    settings = load()
    home = Home(settings.home_path)
    home.prepare()
    made: list[str] = []

    def say(text: str) -> None:
        made.append(text)
        output.note(text)

    if source(settings) == EMBEDDED:
        home.lock()
        server = EmbeddedPostgres(home.path, programs=settings.postgres_binaries)
        try:
            server.start(output.note)
            prepare(settings, server.superuser_url(CONTROL), say, again=True)
        finally:
            server.stop()
    else:
        prepare(settings, None, say, again=True)
    output.show({"made": made}, "The control database is up to date.")


@click.command(epilog="Example: PORT=8051 belvedere web")
def web() -> None:
    """Serve pages and the API, alone: for those who deploy in parts. The queue needs `belvedere jobs` beside it."""
    settings = _part("web")
    from belvedere.node.web import serve

    serve(settings)


@click.command(epilog="Example: BELVEDERE_JOB_THREADS=4 belvedere jobs run")
def jobs() -> None:
    """Work off the queue, alone. Any number of these may run, on any hosts with the same database and keys."""
    settings = _part("jobs")
    from belvedere.app import build
    from belvedere.jobs.runner import run
    from belvedere.node.stopping import on_stop

    stop = threading.Event()
    on_stop(stop.set)
    services = build(settings)
    try:
        watcher = threading.Thread(target=services.watcher().run, args=(stop,), name="watcher", daemon=True)
        watcher.start()
        run(services.jobs, services.database, stop, threads=settings.job_threads)
    finally:
        stop.set()
        services.close()


@click.command(epilog="Example: belvedere gateway run")
def gateway() -> None:
    """Serve the query gateway of a shared Grafana, alone."""
    settings = _part("gateway")
    from belvedere.node.gateway import serve

    serve(settings)


@click.command(epilog="Example: belvedere sftp run")
def sftp() -> None:
    """Serve SFTP, alone."""
    settings = _part("sftp")
    from belvedere.node.sftp import serve

    serve(settings)


@click.command(epilog="Example: belvedere intake run")
def intake() -> None:
    """Watch tenants' folders, alone."""
    settings = _part("intake")
    from belvedere.node.intake import serve

    serve(settings)


def _part(name: str) -> Settings:
    """Make this process a part: logging, and, without a supervisor, the database brought up to date."""
    from belvedere.kernel.control import EMBEDDED, control_url, source
    from belvedere.kernel.logging import configure
    from belvedere.kernel.running import running
    from belvedere.node.home import Home
    from belvedere.node.parts import supervised

    settings = load()
    os.umask(0o077)
    if not supervised():
        Home(settings.home_path).prepare()
        if source(settings) == EMBEDDED:
            control_url(settings)
            if running(settings) is None:
                message = f"The embedded PostgreSQL of {settings.home_path} does not run."
                raise Stuck(message, hint="belvedere up, or set BELVEDERE_DATABASE_URL", code="not-running")
        else:
            from belvedere.node.database import prepare

            prepare(settings, None, output.note)
    configure(settings, part=name, screen=settings.debug or not supervised())
    return settings


@click.command(epilog="Example: belvedere settings --env-file > .env")
@click.option("--changed", is_flag=True, help="Only those whose value is not the default.")
@click.option("--env-file", is_flag=True, help="Print a .env file with every setting at its default, commented out.")
def settings(*, changed: bool, env_file: bool) -> None:
    """Show each setting with its value, where that came from and what it means. Secrets are masked."""
    if env_file:
        click.echo(env_example(), nl=False)
        return
    values = load()
    rows = [
        {"name": one.name, "value": values.shown(one.attribute), "source": values.origin(one.attribute).source,
         "read_as": values.origin(one.attribute).name, "default": one.default, "type": one.type,
         "aliases": list(one.aliases), "section": one.section, "help": one.help}
        for one in described()
    ]
    rows = [row for row in rows if not changed or row["source"] != "default"]
    output.show_list(
        rows,
        {"NAME": lambda row: row["name"], "VALUE": lambda row: row["value"] or "-", "SOURCE": lambda row: row["source"],
         "HELP": lambda row: row["help"]},
        empty="Every setting has its default.",
    )


def env_example() -> str:
    """Return the text of `.env.example`: every setting with its default, its meaning and its other names."""
    lines = ["# Copy this file to .env and set what you need; every setting stands here with its default.",
             "# Written by `belvedere settings --env-file`."]
    section = ""
    for one in described():
        if one.section != section:
            section = one.section
            lines += ["", f"# --- {section} ---"]
        lines += ["", *(f"# {line}" for line in textwrap.wrap(one.help, 116))]
        if one.aliases:
            lines.append(f"# Also read as: {', '.join(one.aliases)}.")
        lines.append(f"#{one.name}={one.default}")
    return "\n".join(lines) + "\n"


@click.command(epilog="Example: belvedere doctor --json")
def doctor() -> None:
    """Check what this machine and this home lack; every finding says what to do. Ends with 1 if something needs you."""
    from belvedere.node.doctor import examine

    found = examine(load())
    output.show_list(
        found,
        {"STATE": lambda one: one.state, "CHECK": lambda one: one.name, "FOUND": lambda one: one.found,
         "TRY": lambda one: one.hint},
        empty="Nothing was checked.",
    )
    if any(one.state == "needs you" for one in found):
        raise click.exceptions.Exit(1)


@click.command(epilog="Example: BELVEDERE_HOME=/srv/trial belvedere reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(*, yes: bool) -> None:
    """Delete the home with everything in it: tenants, their databases on the embedded server, history, keys."""
    from belvedere.kernel.running import running
    from belvedere.node.reset import erase, holds

    values = load()
    if running(values) is not None:
        message = f"The installation in {values.home_path} runs."
        raise Rejected(message, hint="belvedere down", code="running")
    what = holds(values)
    if not what:
        output.show({"deleted": False}, f"There is nothing in {values.home_path}.")
        return
    for line in what:
        output.note(line)
    if not yes:
        typed = click.prompt(f"Type the folder's name ({values.home_path.name}) to delete all this", err=True)
        if typed != values.home_path.name:
            message = "Nothing was deleted: the name differs."
            raise Rejected(message, code="confirm")
    left = erase(values)
    stays = f" What is not Belvedere's stays there: {', '.join(left)}." if left else ""
    output.show({"deleted": True, "left": left}, f"Deleted {values.home_path}.{stays}")
