"""Threads for what takes long on a disk, shared out so that no tenant's slow disk keeps the others waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

MOST: Final = 24
MOST_OF_ONE: Final = 3
"""Threads that one tenant has at a time: its other files wait for these."""


class Hands:
    """The threads of a server."""

    def __init__(self) -> None:
        """Prepare; threads are made when they are first needed."""
        self._threads = ThreadPoolExecutor(MOST, "sftp-file")
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def do(self, tenant: str, work: Callable[[], T]) -> T:
        """Do work of a tenant in a thread and return what it does, or raise what went wrong."""
        turn = self._turns.setdefault(tenant, asyncio.Semaphore(MOST_OF_ONE))
        async with turn:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Wait for what is being done."""
        self._threads.shutdown()
