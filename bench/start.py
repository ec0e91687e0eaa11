"""How long a start takes: a new home (cold) and a home with state (warm), from the command to the first page.

Cold leaves out downloads and installing. Promise: cold at most 90 s, warm at most 5 s. Prints each run and the
median; run it with nothing else on the machine.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2

BELVEDERE = Path(sys.executable).with_name("belvedere")
RUNS = 3


def free_port() -> int:
    """Ask the system for a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_s(home: Path) -> float:
    """Start a supervisor, wait for the sign-in page, stop it; return the seconds to the page."""
    port = free_port()
    environment = {**os.environ, "BELVEDERE_HOME": str(home), "PORT": str(port), "HOST": "127.0.0.1", "SAMPLE": "0"}
    began = time.monotonic()
    with subprocess.Popen(
        [BELVEDERE, "up"], env=environment, cwd=home.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while True:
                if process.poll() is not None or time.monotonic() - began > 120:
                    message = f"it did not start; look into {home}/logs"
                    raise SystemExit(message)
                try:
                    if httpx2.get(f"http://127.0.0.1:{port}/sign-in", timeout=5).status_code == 200:
                        return time.monotonic() - began
                except httpx2.TransportError:
                    time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def main() -> None:
    """Measure and print."""
    cold, warm = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(prefix="belvedere-bench-") as folder:
            Path(folder).chmod(0o755)
            home = Path(folder) / "home"
            cold.append(start_s(home))
            warm.append(start_s(home))
    for name, runs, promise in (("cold", cold, 90.0), ("warm", warm, 5.0)):
        median = statistics.median(runs)
        verdict = "kept" if median <= promise else "BROKEN"
        each = ", ".join(f"{run:.2f}" for run in runs)
        print(f"{name} start to first page: median {median:.2f} s of {each}; promise {promise:.0f} s: {verdict}")


if __name__ == "__main__":
    main()
