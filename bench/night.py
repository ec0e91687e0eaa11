"""A night of meters: 10,000 files of 40 rows, from the first notice to the last file moved, stored and reported.

The peer is what a hook starts for each file today: one process of Python that reads the file with pandas, makes Points
with influxdb-client and posts them (here to a server that only says yes, which is in its favour). It needs
BELVEDERE_BENCH_PEER, a Python with both; without, its time is the one that was seen of the real one. Promise: at least
50 times as many files in the same time.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from server import installation, server, working

from belvedere.intake.model import Happening, UploadState, Via
from belvedere.kernel.actor import SYSTEM

FILES = int(os.environ.get("BELVEDERE_BENCH_FILES", "10000"))
METERS = 200
ROWS = 40
PEER_FILES = 10
SEEN_PEER_S = 0.52
LEAST_TIMES = 50

PEER = """
import sys, time
import pandas as pd
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
path, url = sys.argv[1:]
frame = pd.read_csv(path, sep="\\t", skiprows=1)
times = pd.to_datetime(frame.iloc[:, 0], format="%d/%m/%y %H:%M:%S", utc=True)
points = []
for index, row in frame.iterrows():
    for column in frame.columns[1:]:
        points.append(
            Point("electrical").tag("campaign", "camp").tag("channel_name", column).tag("device", "MV2")
            .tag("device_sn", "02001084").field(column, float(row[column])).time(times[index], WritePrecision.S)
        )
with InfluxDBClient(url=url, token="x", org="x") as client:
    client.write_api(write_options=SYNCHRONOUS).write(bucket="x", record=points)
"""


def text(number: int) -> str:
    """Return one file: six channels, a row every five minutes."""
    master = f"{2001000 + number % METERS:08d}"
    head = "\t".join([master] * 7) + "\nMV_T302_V002\tPh 1 V\tPh 2 V\tPh 3 V\tVoie1 W\tVoie2 W\tVoie3 W\n"
    slot = number // METERS
    rows = []
    for row in range(ROWS):
        minute = (slot * ROWS + row) * 5
        day, rest = divmod(minute, 1440)
        values = "\t".join(f"{230 + (row * 7 + channel * 3 + number) % 11 / 10}" for channel in range(6))
        rows.append(f"{day + 1:02d}/01/26 {rest // 60:02d}:{rest % 60:02d}:00\t{values}\n")
    return head + "".join(rows)


class Yes(BaseHTTPRequestHandler):
    """A server that takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def peer(folder: Path) -> float:
    """Return how long one process for one file takes, in seconds."""
    program = os.environ.get("BELVEDERE_BENCH_PEER", "")
    if not program:
        print(f"no peer: BELVEDERE_BENCH_PEER names none; {SEEN_PEER_S} s a file as seen of the real one")
        return SEEN_PEER_S
    script = folder / "peer.py"
    script.write_text(PEER)
    (folder / "one.tsv").write_text(text(1))
    sink = HTTPServer(("127.0.0.1", 0), Yes)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    took = []
    for _ in range(PEER_FILES):
        began = time.monotonic()
        subprocess.run(
            [program, script, folder / "one.tsv", f"http://127.0.0.1:{sink.server_address[1]}"], check=True
        )
        took.append(time.monotonic() - began)
    sink.shutdown()
    sink.server_close()
    return statistics.median(took)


def ours() -> float:
    """Return how long all files take, in seconds, and say how it goes meanwhile."""
    with server() as url, installation(url) as services, working(services, watch=False):
        tenant, _ = services.tenants.create(SYSTEM, "acme")
        services.tenants.wait(SYSTEM, tenant.serial, most_s=60)
        home = services.intake.root.path / "acme"
        for number in range(FILES):
            folder = home / "camp" / f"{2001000 + number % METERS:08d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"T302_{number:05d}.tsv").write_text(text(number))
        began = time.monotonic()
        services.intake.notice("acme", "", Happening.LOOK, via=Via.FOLDER)
        told = began
        while True:
            by_state = services.uploads.totals(SYSTEM, tenant=tenant.serial).by_state
            done = by_state.get(UploadState.PARSED, 0)
            if done + by_state.get(UploadState.REFUSED, 0) == FILES:
                break
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"  {done} of {FILES} after {told - began:.0f} s", flush=True)
            time.sleep(0.25)
        took = time.monotonic() - began
        totals = services.uploads.totals(SYSTEM, tenant=tenant.serial)
        if done != FILES or totals.points != FILES * ROWS * 6:
            print(f"wrong end: {by_state}, {totals.points} points")
            sys.exit(1)
        return took


def main() -> int:
    """Measure, print, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="belvedere-bench-night-") as folder:
        one = peer(Path(folder))
    took = ours()
    each = took / FILES
    print(f"{FILES} files, {FILES * ROWS * 6} points: {took:.1f} s, {each * 1000:.2f} ms a file")
    print(f"one process for each: {one * 1000:.0f} ms a file; x{one / each:.0f} (promise: at least {LEAST_TIMES})")
    return int(one / each < LEAST_TIMES)


if __name__ == "__main__":
    sys.exit(main())
