"""The encoding program as seen from the capture: started early, fed frame by frame, ended whatever happens.

What is not here: the encoding itself (`encode.py`).
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from belvedere.kernel.clock import monotonic_s
from belvedere.previews.model import CaptureFailed


class Encoder:
    """One encoding process."""

    def __init__(self, process: subprocess.Popen[bytes], *, deadline: float) -> None:
        """Speak to `process` until `deadline`, a moment on the monotonic clock."""
        self._process = process
        self._deadline = deadline

    def add(self, frame: Path, delay_ms: int) -> None:
        """Hand over a frame that lies in a file; the file must stay until the end."""
        self._say({"frame": str(frame), "ms": delay_ms})

    def write(self, gif: Path, png: Path) -> Mapping[str, int]:
        """Have both files written and return their facts.

        Raises:
            CaptureFailed: the process ended, or did not come to an end in time.
        """
        self._say({"write": {"gif": str(gif), "png": str(png)}})
        answers = self._process.stdout
        left = max(0.0, self._deadline - monotonic_s())
        if answers is None or not select.select([answers], [], [], left)[0]:
            message = "The picture was not encoded before the deadline."
            raise CaptureFailed(message)
        line = answers.readline()
        if not line:
            raise CaptureFailed(self._why())
        facts: dict[str, int] = json.loads(line)
        return facts

    def _say(self, command: Mapping[str, Any]) -> None:
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise CaptureFailed(self._why()) from None

    def _why(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        told = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
        last = told.strip().rpartition("\n")[2]
        return f"The picture could not be encoded: {last or 'the encoder ended'}."


@contextmanager
def encoding(*, deadline: float) -> Iterator[Encoder]:
    """Run an encoding process for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", "belvedere.previews.encode"],
        # Unbuffered, so that nothing is left to write when the process is gone already.
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        try:
            yield Encoder(process, deadline=deadline)
        finally:
            process.kill()
