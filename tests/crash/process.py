"""Runs one scenario in a process of its own: `process.py SCENARIO act|check`; the environment names the failpoint."""

import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from belvedere.app import Services, build
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.logging import configure
from belvedere.kernel.settings import load
from belvedere.node.database import prepare
from belvedere.node.home import Home

PATIENCE_S = 100.0


class World:
    """What a scenario works with: the services of one home, and a way to wait."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.home = services.settings.home_path

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Return the first truthy answer."""
        deadline = time.monotonic() + PATIENCE_S
        while not (answer := condition()):
            assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}\n{self._jobs()}"
            time.sleep(0.05)
        return answer

    def _jobs(self) -> str:
        """Show the queue, for whoever has to find out what it waited for."""
        jobs = self.services.queue.list(SYSTEM, limit=40).items
        return "\n".join(f"{job.id} {job.name} {job.key} {job.state} {job.error}" for job in jobs)

    def once(self, deed: str, act: Callable[[], object]) -> None:
        """Do something that no reconciler does again, unless an earlier run has done it."""
        mark = self.home / f"did-{deed}"
        if not mark.exists():
            act()
            mark.touch()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work off the queue and watch tables, as `belvedere jobs` does, while the block runs."""
        from belvedere.jobs.runner import run

        stop = threading.Event()
        services = self.services
        threads = [
            threading.Thread(target=services.watcher().run, args=(stop,)),
            threading.Thread(target=run, args=(services.jobs, services.database, stop), kwargs={"threads": 4}),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)


def main(scenario: str, verb: str) -> None:
    path = Path(__file__).parent / "scenarios" / f"{scenario}.py"
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(scenario, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings = load()
    Home(settings.home_path).prepare()
    configure(settings, part=verb, screen=False)
    prepare(settings)
    services = build(settings)
    try:
        getattr(module, verb)(World(services))
    finally:
        services.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    os._exit(0)
