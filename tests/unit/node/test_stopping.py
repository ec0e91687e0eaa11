"""A part that is told to stop again while it is being told stops all the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SERVED = """
async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well"})
"""
# Whoever wakes the waiting thread is interrupted in the middle of it, with the lock in hand.
INTERRUPTED = """
import os, signal, threading
notify = threading.Condition.notify
def interrupted(self, *given):
    if threading.current_thread() is threading.main_thread():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    return notify(self, *given)
"""
SERVER = """
import sys
from belvedere.node.serving import Server, serve
spawned = Server._spawn_workers
def spawn(self, *given):
    spawned(self, *given)
    threading.Condition.notify = interrupted
    print("begun", flush=True)
Server._spawn_workers = spawn
serve("served:application", "127.0.0.1", int(sys.argv[1]))
print("stopped", flush=True)
"""
WAITING = """
from belvedere.node.stopping import on_stop
stop = threading.Event()
on_stop(stop.set)
threading.Condition.notify = interrupted
print("begun", flush=True)
stop.wait()
print("stopped", flush=True)
"""


@pytest.mark.parametrize("program", [SERVER, WAITING], ids=["server", "runner"])
def test_a_signal_in_the_middle_of_another_is_none_too_many(program: str, tmp_path: Path, free_tcp_port: int) -> None:
    (tmp_path / "served.py").write_text(SERVED)
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED + program, str(free_tcp_port)], stdout=subprocess.PIPE, text=True,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert process.stdout.read().endswith("stopped\n")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
