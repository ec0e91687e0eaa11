"""The twin of the camera: pictures without a browser, for tests and for machines that have none and must look as if.

What is not here: Chromium (`capture.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from belvedere.previews.model import CameraState, Entry, Film


@dataclass(slots=True)
class PaintedCamera:
    """Paints two small frames. `before` is called with the address first, and may raise what a camera raises."""

    before: Callable[[str], None] = lambda _url: None
    seen: list[str] = field(default_factory=list)
    entries: list[Entry | None] = field(default_factory=list)
    flaw: str = ""

    def state(self) -> CameraState:
        """Always ready."""
        return CameraState(ready=True, text="Previews are painted, not captured.")

    def end_leftovers(self) -> int:
        """Nothing can be left."""
        return 0

    def film(self, url: str, folder: Path, entry: Entry | None = None) -> Film:
        """Leave a moving and a still picture of nothing in `folder`."""
        self.seen.append(url)
        self.entries.append(entry)
        self.before(url)
        gif, png = folder / "film.gif", folder / "film.png"
        frames = [Image.new("RGB", (32, 18), colour) for colour in ("#dbe4ee", "#2f6f9f")]
        frames[0].save(gif, save_all=True, append_images=frames[1:], duration=500, loop=0)
        frames[0].save(png)
        size = gif.stat().st_size
        return Film(gif, png, width=32, height=18, frames=2, gif_bytes=size, duration_ms=1, flaw=self.flaw)
