"""Finding Chromium, starting it under its guard, and finding what an earlier owner left behind.

The folder that this module is given holds one sub-folder per running browser: the browser's empty profile and a file
`owner` that its owner keeps locked. A folder whose lock nobody holds is a leftover.
What is not here: what is said to the browser (`capture.py`), who waits for whom (`slots.py`).
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.ids import opaque
from belvedere.previews import guard, trust
from belvedere.previews.devtools import DevTools
from belvedere.previews.model import CaptureFailed, NoBrowser, Shape

NAMES: Final = (
    "chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "chrome-headless-shell",
    "microsoft-edge-stable",
)
"""What Chromium and its kin are called in distributions, in order of preference."""

_SOCKETS: Final = "belvedere-sockets-"
_NOTICE_S: Final = 1.0
_END_S: Final = 20.0

INSTALL_HINT: Final = "Install Chromium (`apt-get install chromium`), or name one in BELVEDERE_BROWSER."

_FLAGS: Final = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
    "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-extensions", "--disable-default-apps", "--disable-breakpad",
    "--disable-client-side-phishing-detection", "--disable-crash-reporter", "--disable-domain-reliability",
    "--disable-translate",
    "--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication",
    "--metrics-recording-only",
    "--mute-audio", "--hide-scrollbars", "--password-store=basic", "--use-mock-keychain", "--force-color-profile=srgb",
    "--font-render-hinting=none", "--no-pings", "--deny-permission-prompts",
)
"""Each keeps the browser from speaking to anybody, storing anything, or drawing what a page did not ask for."""

_ENDINGS: Final = {
    guard.BROWSER_ENDED: "The browser ended by itself.",
    guard.TOO_MUCH_MEMORY: "The browser took more memory than BELVEDERE_CAPTURE_MEMORY_BYTES allows and was ended.",
    guard.TOO_LATE: "The capture took longer than CAPTURE_TIMEOUT allows; the browser was ended.",
    guard.NOT_STARTED: "The browser did not start.",
}


def find(wanted: str = "") -> str:
    """Return the path of the browser program.

    Raises:
        NoBrowser: there is none, or the one that was named is not there.
    """
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            message = f"BELVEDERE_BROWSER names `{wanted}`, which is not a program here."
            raise NoBrowser(message, hint=INSTALL_HINT)
        return found
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    raise NoBrowser(hint=INSTALL_HINT)


@dataclass(slots=True)
class Running:
    """A browser under its guard, and the conversation with it."""

    tools: DevTools
    folder: Path
    guard: subprocess.Popen[bytes]

    def let_go(self) -> None:
        """Ask the guard to end the browser; do not wait for it."""
        if self.guard.stdin is not None and not self.guard.stdin.closed:
            self.guard.stdin.close()

    def why(self) -> str:
        """Tell, once the conversation broke, why the browser ended."""
        # The guard noticed before we did, or does within its next look: closing the pipe now would be another reason.
        try:
            status = self.guard.wait(_NOTICE_S)
        except subprocess.TimeoutExpired:
            self.let_go()
            status = self.guard.wait(_END_S)
        said = self.guard.stderr.read().decode(errors="replace") if self.guard.stderr else ""
        fatal = [line.partition("] ")[2] for line in said.splitlines() if ":FATAL:" in line]
        reason = _ENDINGS.get(status, _ENDINGS[guard.BROWSER_ENDED])
        return f"{reason} It said: {fatal[-1][:200]}" if fatal else reason


def _argv(program: str, profile: Path, shape: Shape, url: str) -> list[str]:
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    place = f"[{host}]" if ":" in host else host
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [
        program, *_FLAGS, *sandbox,
        f"--user-data-dir={profile}", f"--window-size={shape.width},{shape.height}",
        f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}",
        # Names are one way out and numbers another: all but this very host and port goes to a proxy that is none.
        "--proxy-server=http://127.0.0.1:9", f"--proxy-bypass-list=<-loopback>;{place}:{port}",
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp", "about:blank",
    ]


def _environment(profile: Path, sockets: Path) -> dict[str, str]:
    """Return what the browser may know: nothing of ours, above all no secret."""
    passed: Mapping[str, str] = {
        name: os.environ[name] for name in ("PATH", "LANG", "FONTCONFIG_FILE", "FONTCONFIG_PATH") if name in os.environ
    }
    return {
        "PATH": os.defpath, **passed, "HOME": str(profile), "TMPDIR": str(sockets), "XDG_CONFIG_HOME": str(profile),
        "XDG_CACHE_HOME": str(profile), "XDG_RUNTIME_DIR": str(profile), "TZ": "UTC",
    }


@contextmanager
def launched(program: str, place: Path, url: str, shape: Shape, ca_file: str = "") -> Iterator[Running]:
    """Run a browser in a folder of its own below `place` for as long as the block lasts.

    It trusts the authorities in `ca_file` besides its own, a PEM file.

    Raises:
        CaptureFailed: the guard could not be started, or the authorities could not be handed over.
    """
    folder = place / opaque()
    folder.mkdir(parents=True, mode=0o700)
    # Chromium puts a socket into its temporary folder, and the address of a socket has at most 107 bytes: whatever
    # the depth of the home, this folder's name is short.
    sockets = Path(tempfile.mkdtemp(prefix=_SOCKETS))
    (folder / "sockets").write_text(str(sockets))
    owner = os.open(folder / "owner", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(owner, fcntl.LOCK_EX)
    running = None
    try:
        if ca_file:
            _trust(folder, ca_file)
        running = _start(program, folder, sockets, url, shape)
        failpoint("previews.browser.started")
        yield running
    finally:
        if running is not None:
            running.let_go()
            running.guard.wait(_END_S)
            running.tools.close()
            if running.guard.stderr is not None:
                running.guard.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)
        os.close(owner)


def _trust(profile: Path, ca_file: str) -> None:
    """Hand over authorities, in a process of its own: the library keeps one store for a whole process."""
    command = [sys.executable, "-I", "-S", trust.__file__, str(profile / trust.PLACE), ca_file]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_END_S, env={"PATH": os.defpath}
        )
        told = done.stderr.strip().rpartition("\n")[2] or f"it ended ({done.returncode})"
        said = told if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        said = type(error).__name__
    if said:
        message = f"The browser could not be told whom to trust by BELVEDERE_GRAFANA_CA_FILE: {said[:200]}."
        raise CaptureFailed(message)


def _start(program: str, folder: Path, sockets: Path, url: str, shape: Shape) -> Running:
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    argv = _argv(program, folder, shape, url)
    watch = [sys.executable, "-I", "-S", guard.__file__, str(theirs_in), str(theirs_out), str(shape.timeout_s)]
    try:
        process = subprocess.Popen(
            [*watch, str(shape.memory_bytes), str(folder), str(sockets), "--", *argv],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=(theirs_in, theirs_out), start_new_session=True, env=_environment(folder, sockets),
        )
    except OSError as error:
        os.close(ours_out)
        os.close(ours_in)
        message = f"The browser's guard did not start: {error.strerror}."
        raise CaptureFailed(message) from error
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    tools = DevTools(ours_out, ours_in, deadline=monotonic_s() + shape.timeout_s)
    return Running(tools=tools, folder=folder, guard=process)


def end_leftovers(place: Path) -> int:
    """End every browser below `place` whose owner is gone, and remove its folder.

    Returns:
        How many there were.
    """
    count = 0
    for folder in place.glob("*/"):
        with suppress(OSError), (folder / "owner").open("rb+") as owner:
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            _kill_users_of(folder)
            _remove_sockets(folder)
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    return count


def _remove_sockets(folder: Path) -> None:
    with suppress(OSError):
        sockets = Path((folder / "sockets").read_text())
        if sockets.name.startswith(_SOCKETS) and sockets.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(sockets, ignore_errors=True)


def _kill_users_of(folder: Path) -> None:
    """Kill the processes that carry this very folder in their command line."""
    mark = os.fsencode(folder)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if mark in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
