"""How long a preview takes and how large it is, against puppeteer with gifencoder (what the credential manager used).

Both take the same tour of the same page, 10 frames of 1920 x 1080 at 500 ms. Promise: at most 1.5 s beyond frames x
delay, and a GIF that is no larger. The peer's packages come from npm into a temporary folder, without their build
scripts: gifencoder then takes its pixels from pngjs instead of node-canvas. Without npm or the registry only our own
side is measured.
"""

import json
import math
import random
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from belvedere.previews import browser
from belvedere.previews.capture import Chromium
from belvedere.previews.encode import Reel
from belvedere.previews.model import Shape

RUNS = 3
SHAPE = Shape()
PEERS = ("puppeteer-core@24.43.1", "gifencoder@2.0.1", "gifenc@1.0.3", "pngjs@7.0.0")
COLOURS = ("#2f6f9f", "#b4552d", "#5b8c5a", "#8a6fae", "#a58a1f")


def chart(number: int) -> str:
    """Draw a chart with five lines of 120 points each, the same at every run."""
    chance = random.Random(number)  # noqa: S311  (shapes of lines, no secret)
    lines = []
    for colour in COLOURS:
        level, points = chance.uniform(60, 160), []
        for x in range(120):
            level = min(200, max(20, level + chance.gauss(0, 6) + 3 * math.sin(x / 9)))
            points.append(f"{x * 4.6 + 30:.1f},{level:.1f}")
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(points)}"/>')
    grid = "".join(f'<line x1="30" x2="580" y1="{y}" y2="{y}" stroke="#dfe4ea"/>' for y in range(20, 220, 40))
    return f'<svg viewBox="0 0 600 220" width="600" height="220">{grid}{"".join(lines)}</svg>'


def page() -> str:
    """Make a dashboard of tiles, twelve charts and a table, taller than the screen, with a tour of nine steps."""
    chance = random.Random(1)  # noqa: S311
    tiles = "".join(
        f'<section data-panel="t{n}" data-state="ok"><h2>Tile {n}</h2><b>{chance.uniform(-2, 900):.3f}</b></section>'
        for n in range(6)
    )
    charts = "".join(
        f'<section data-panel="c{n}" data-state="ok"><h2>Worst slack, stage {n}</h2>{chart(n)}</section>'
        for n in range(12)
    )
    rows = "".join(
        f"<tr><td>reg_{n}/CK</td>" + "".join(f"<td>{chance.gauss(0, 1):.3f}</td>" for _ in range(8)) + "</tr>"
        for n in range(24)
    )
    return (
        '<!doctype html><html data-page="dashboard"><meta charset="utf-8"><style>body{margin:24px;background:#f4f6f8;'
        "font:14px sans-serif;color:#1c2530}main{display:grid;grid-template-columns:repeat(3,1fr);gap:16px}"
        "section{background:#fff;border:1px solid #d5dbe2;border-radius:6px;padding:12px}"
        "h2{font-size:14px;margin:0 0 8px}"
        "b{font-size:28px}td{padding:2px 12px;border-bottom:1px solid #e6eaee}.lit{outline:3px solid #2f6f9f}</style>"
        f"<h1>Timing of cpu</h1><main>{tiles}{charts}</main><section><table>{rows}</table></section>"
        "<script>window.belvedere = {tour: (frames) => { const all = [...document.querySelectorAll('[data-panel]')];"
        "return Array.from({length: frames - 1}, (_, number) => () => {"
        "for (const one of all) one.classList.remove('lit');"
        "const panel = all[Math.floor(number * all.length / (frames - 1))]; panel.classList.add('lit');"
        "panel.scrollIntoView({block: 'center', behavior: 'instant'}); }); }};</script></html>"
    )


@contextmanager
def served() -> Iterator[str]:
    """Serve the page on loopback."""
    body = page().encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ours(url: str, folder: Path) -> tuple[int, int]:
    """Take a preview; return its milliseconds and bytes. The frames stay in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    film = Chromium(place=folder.parent / "browsers", shape=SHAPE).film(url, folder)
    return film.duration_ms, film.gif_bytes


def encoded_again(folder: Path, frames: list[Path]) -> tuple[int, int]:
    """Encode the frames once more, in this process; return milliseconds and bytes."""
    began, reel = time.monotonic(), Reel()
    for frame in frames:
        reel.add(frame, SHAPE.delay_ms)
    size = reel.write(folder / "again.gif", folder / "again.png")["gif_bytes"]
    return round((time.monotonic() - began) * 1000), size


def peer(place: Path) -> Path | None:
    """Install the peer into `place`; return its script, or None and the reason on the screen."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        print("peer: not measured, there is no npm and node")
        return None
    script = place / "preview.js"
    shutil.copy(Path(__file__).with_suffix(".js"), script)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    install = [npm, "install", *quiet, "--prefix", str(place), *PEERS]
    try:
        subprocess.run(install, check=True, timeout=180, cwd=place, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"peer: not measured, npm did not install it ({type(error).__name__})")
        return None
    return script


def told(*argv: object) -> dict[str, Any]:
    """Run the peer and return what it says."""
    node = shutil.which("node") or "node"
    done = subprocess.run([node, *map(str, argv)], check=True, timeout=300, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def line(name: str, took_ms: float, size: int, ideal_ms: float) -> None:
    """Print one way of taking a preview."""
    beyond_s = (took_ms - ideal_ms) / 1000
    print(f"  {name:20} {took_ms / 1000:5.2f} s  {beyond_s:+5.2f} s beyond frames x delay  {size / 1e6:.2f} MB")


def main() -> None:
    """Measure and print."""
    ideal = SHAPE.frames * SHAPE.delay_ms
    with tempfile.TemporaryDirectory(prefix="belvedere-bench-") as name, served() as url:
        folder = Path(name)
        taken = [ours(url, folder / "ours") for _ in range(RUNS)]
        median_ms, size = statistics.median(ms for ms, _ in taken), taken[-1][1]
        frames = sorted((folder / "ours").glob("frame-*.png"), key=lambda one: int(one.stem.rpartition("-")[2]))
        own_ms, own_size = encoded_again(folder / "ours", frames)
        print(f"{SHAPE.frames} frames of {SHAPE.width} x {SHAPE.height}, {SHAPE.delay_ms} ms each, median of {RUNS}")
        line("ours", median_ms, size, ideal)
        script = peer(folder)
        if script is None:
            return
        shape = (SHAPE.width, SHAPE.height)
        other = told(
            script, "capture", url, browser.find(), *shape, SHAPE.frames, SHAPE.delay_ms, folder / "peer.gif"
        )
        line("puppeteer+gifencoder", other["total_ms"], other["bytes"], ideal)
        print(f"  ratio: {median_ms / other['total_ms']:.2f} of the time, {size / other['bytes']:.2f} of the size")
        print(f"encoding the same {len(frames)} frames")
        print(f"  ours                 {own_ms / 1000:5.2f} s  {own_size / 1e6:.2f} MB")
        for one, facts in told(script, "encode", folder / "same", *shape, SHAPE.delay_ms, *frames).items():
            ratio = f"{own_ms / facts['ms']:.2f} of the time, {own_size / facts['bytes']:.2f} of the size"
            print(f"  {one:20} {facts['ms'] / 1000:5.2f} s  {facts['bytes'] / 1e6:.2f} MB  (ours: {ratio})")


if __name__ == "__main__":
    main()
