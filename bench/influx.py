"""A meter file of 113,000 rows stored in an InfluxDB, against what InfluxDB itself takes for ready-made lines.

Needs BELVEDERE_TEST_INFLUX_URL, _ORG and _TOKEN of a server that nothing else uses. Each run has a fresh bucket; the
peer gets the same points as lines that are ready in memory, in the best of several sizes of batches, one or two at a
time. Runs take turns, so that both see the same machine.
"""

import io
import os
import random
import statistics
import sys
import time
from typing import Self
from uuid import uuid4

from belvedere.intake.meters.formats import Formats
from belvedere.intake.meters.model import Place
from belvedere.intake.meters.parse import open_file
from belvedere.kernel.secret import Secret
from belvedere.stores.influx.api import Influx
from belvedere.stores.influx.model import Access
from belvedere.stores.influx.send import Sender

ROWS, RUNS, MOST = 112_930, 5, 1.15
BATCHES = (5_000, 10_000, 50_000)
LANES = (1, 2)


def made() -> bytes:
    """Return a file as meters write it: six channels, a row each ten seconds."""
    source = random.Random(7)  # noqa: S311  (measured values)
    labels = ("Ph 1 V", "Ph 2 V", "Ph 3 V", "Voie1 W", "Voie2 W", "Voie3 W")
    lines = ["\t".join(["02001283"] * 7), "\t".join(["MV_T302_V002", *labels])]
    start = 1_760_000_000
    for row in range(ROWS):
        moment = time.strftime("%d/%m/%y %H:%M:%S", time.gmtime(start + 10 * row))
        values = (230 + source.random(), 231 + source.random(), 229 + source.random(), *(
            round(source.random() * 4_000, 2) for _ in range(3)))
        lines.append("\t".join([moment, *(f"{value:.2f}" for value in values)]))
    return ("\n".join(lines) + "\n").encode()


class Bucket:
    """A fresh bucket for one run."""

    def __init__(self, influx: Influx) -> None:
        self.influx = influx
        self.name = f"bench-{uuid4().hex[:12]}"
        found = influx.make_bucket(self.name, "bench")
        assert found is not None
        self.number = found.number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.influx.drop_bucket(self.number)

    def post(self, piece: bytes, packed: bool) -> object:  # noqa: FBT001
        return self.influx.write(self.name, self.influx.access.token, piece, packed=packed)


def ready_made(influx: Influx, pieces: list[bytes], lanes: int) -> float:
    """Return how long InfluxDB takes for lines that are there already."""
    from concurrent.futures import ThreadPoolExecutor

    with Bucket(influx) as bucket, ThreadPoolExecutor(lanes) as pool:
        begin = time.perf_counter()
        answers = list(pool.map(lambda piece: bucket.post(piece, packed=False), pieces))
        taken = time.perf_counter() - begin
    assert all(one.status == 204 for one in answers)
    return taken


def stored(influx: Influx, file: bytes, formats: Formats, lines: int) -> float:
    """Return how long the file takes from its bytes to the last answer."""
    with Bucket(influx) as bucket:
        begin = time.perf_counter()
        reading = open_file(io.BytesIO(file), Place("company", "campaign", "02001283"), formats)
        with Sender(bucket.post, lines=lines, packed=influx.access.far) as sender:
            for batch in reading.batches():
                sender.send(batch, "campaign")
        taken = time.perf_counter() - begin
        assert sender.written.points == ROWS * 6, sender.written
        assert not sender.written.refused
    return taken


def main() -> int:
    """Print the figures; return 1 when the promise is not kept."""
    url = os.environ.get("BELVEDERE_TEST_INFLUX_URL", "")
    if not url:
        print("left out: BELVEDERE_TEST_INFLUX_URL is not given")
        return 0
    token = Secret(os.environ.get("BELVEDERE_TEST_INFLUX_TOKEN", ""))
    influx = Influx(Access(url.rstrip("/"), os.environ.get("BELVEDERE_TEST_INFLUX_ORG", "belvedere"), token))
    formats, file = Formats.load(), made()
    reading = open_file(io.BytesIO(file), Place("company", "campaign", "02001283"), formats)
    whole = b"".join(piece for batch in reading.batches() for piece in batch.lines(1_000_000)).splitlines(keepends=True)
    peers: dict[tuple[int, int], list[float]] = {(size, lanes): [] for size in BATCHES for lanes in LANES}
    ours: list[float] = []
    for _ in range(RUNS):
        for (size, lanes), times in peers.items():
            pieces = [b"".join(whole[start : start + size]) for start in range(0, len(whole), size)]
            times.append(ready_made(influx, pieces, lanes))
        ours.append(stored(influx, file, formats, 10_000))
    for (size, lanes), times in peers.items():
        print(f"ready-made lines, {size:>6,} a batch, {lanes} at a time: median {statistics.median(times):.2f} s, "
              f"least {min(times):.2f} s")
    best = min(statistics.median(times) for times in peers.values())
    mine = statistics.median(ours)
    print(f"the file, {len(file) / 1e6:.1f} MB, {len(whole):,} points: median {mine:.2f} s, least {min(ours):.2f} s, "
          f"{len(whole) / mine:,.0f} points/s")
    print(f"ratio to the best: {mine / best:.2f} (at most {MOST})")
    return int(mine / best > MOST)


if __name__ == "__main__":
    sys.exit(main())
