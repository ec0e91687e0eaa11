"""How fast a meter file becomes line protocol, and in how much memory, against today's parser.

The peer does the same work with pandas and influxdb-client's Point: BELVEDERE_BENCH_PEER names a Python that has both
(`python -m venv peer && peer/bin/pip install pandas influxdb-client`); without it only our own figures are printed.
Promises: 80 times the peer's rows per second, and at most 500 MB for a file of 5 GB. BELVEDERE_BENCH_INTAKE_BYTES makes
that file smaller; it is a stream, no file, so that the disk has no part in it.
"""

import io
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROWS = 112_930
RUNS = 7
FACTOR = 80
MOST_MB = 500
LARGE_BYTES = int(os.environ.get("BELVEDERE_BENCH_INTAKE_BYTES", str(5 << 30)))
HEAD = "\t".join(["02001171"] * 7) + "\nMV_T302_V002\tPh 1 V\tPh 2 V\tPh 3 V\tVoie1 W\tVoie2 W\tVoie3 W\n"


def rows(count: int) -> str:
    """Return so many rows of six channels, ten seconds apart."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    return "".join(
        f"{start + timedelta(seconds=10 * at):%d/%m/%y %H:%M:%S}\t{240 + 5 * math.sin(at / 900):.2f}"
        f"\t{241 + 5 * math.sin(at / 800):.2f}\t{239 + 5 * math.cos(at / 900):.2f}"
        f"\t{1800 + 900 * math.sin(at / 300):.1f}\t{at % 97 * 3.1:.1f}\t{-0.0 if at % 5 else 4.5}\n"
        for at in range(count)
    )


class Large:
    """A stream of so many bytes: a header, then the same rows again and again."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.parts = io.BytesIO(HEAD.encode())
        self.again = rows(50_000).encode()

    def read(self, size: int, /) -> bytes:
        part = self.parts.read(min(size, max(self.left, 0)))
        if not part and self.left > 0:
            self.parts = io.BytesIO(self.again)
            part = self.parts.read(min(size, self.left))
        self.left -= len(part)
        return part


def read(stream: bytes | Large) -> None:
    """Read a meter file into lines; print what it took. In a process of its own."""
    from belvedere.intake.meters.formats import Formats
    from belvedere.intake.meters.model import Place
    from belvedere.intake.meters.parse import open_file

    formats = Formats.load()
    took = []
    for _ in range(RUNS if isinstance(stream, bytes) else 1):
        source = io.BytesIO(stream) if isinstance(stream, bytes) else stream
        began = time.perf_counter()
        reading = open_file(source, Place("company1", "campaign1", "02001171"), formats)
        size = sum(len(piece) for batch in reading.batches() for piece in batch.lines())
        summary = reading.summary()
        took.append(time.perf_counter() - began)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(json.dumps({
        "seconds": took, "lines": summary.points, "rows": summary.rows_read, "bytes": size,
        "peak_mb": int(status.split("VmHWM:")[1].split()[0]) // 1024,
    }))


def child(python: str, *arguments: str) -> dict[str, Any]:
    """Run a program that prints JSON."""
    done = subprocess.run([python, *arguments], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def speed() -> bool:
    """Measure the common file beside the peer; tell whether the promise is kept."""
    here, peer = Path(__file__), os.environ.get("BELVEDERE_BENCH_PEER", "")
    with tempfile.TemporaryDirectory(prefix="belvedere-bench-") as folder:
        path = Path(folder) / "meter.tsv"
        path.write_text(HEAD + rows(ROWS), encoding="utf-8")
        ours = [child(sys.executable, str(here), str(path))]
        theirs = child(peer, str(here.with_name("intake_peer.py")), str(path)) if peer else {}
        ours.append(child(sys.executable, str(here), str(path)))
    seconds = [one for run in ours for one in run["seconds"]]
    median, lines = statistics.median(seconds), ours[0]["lines"]
    print(
        f"{ROWS:,} rows x 6 channels to {lines:,} lines: median {median:.3f} s, least {min(seconds):.3f} s, "
        f"{ROWS / median:,.0f} rows/s, peak {ours[0]['peak_mb']} MB"
    )
    if not theirs:
        print("no peer: set BELVEDERE_BENCH_PEER to a Python with pandas and influxdb-client")
        return True
    ratio = theirs["seconds"] / median
    kept = bool(ratio >= FACTOR and theirs["lines"] == lines)
    print(
        f"pandas and Point: {theirs['seconds']:.2f} s, {ROWS / theirs['seconds']:,.0f} rows/s, "
        f"peak {theirs['peak_mb']} MB; x{ratio:.0f}, promise x{FACTOR}: {'kept' if kept else 'BROKEN'}"
    )
    return kept


def memory() -> bool:
    """Read the large stream; tell whether the promise is kept."""
    large = child(sys.executable, __file__, "large")
    kept = bool(large["peak_mb"] <= MOST_MB)
    print(
        f"a file of {LARGE_BYTES / (1 << 30):.2f} GB, {large['rows']:,} rows, to {large['bytes'] / (1 << 30):.0f} GB "
        f"of lines: {large['seconds'][0]:.0f} s, peak {large['peak_mb']} MB; "
        f"promise {MOST_MB} MB: {'kept' if kept else 'BROKEN'}"
    )
    return kept


def main() -> int:
    """Measure and print; return 1 where a promise is broken."""
    if sys.argv[1:] == ["large"]:
        read(Large(LARGE_BYTES))
        return 0
    if sys.argv[1:]:
        read(Path(sys.argv[1]).read_bytes())
        return 0
    return int(not all([speed(), memory()]))


if __name__ == "__main__":
    sys.exit(main())
