"""Frames to a moving and a still picture: a program of its own, because it keeps a processor busy for a second.

Run as `python -m belvedere.previews.encode`. It reads one JSON document a line from standard input,
`{"frame": PATH, "ms": N}` for each frame as it is taken and `{"write": {"gif": PATH, "png": PATH}}` at the end, and
answers that with one line. When its input closes before that, it ends and leaves nothing.

Measured choices (`docs/explanation/previews.md`, `bench/preview.py`): one palette for all frames, no dithering, frames
that hold only what changed. What is not here: who calls it (`encoder.py`).
"""

import json
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from PIL import Image, ImageChops

MOST_BYTES: Final = 1_500_000_000
"""Address space that this program may take; frames are 6 MB each at 1920 x 1080."""

_COLOURS: Final = 255
_CLEAR: Final = 255
_QUARTER: Final = 4
_MOST_COUNTED: Final = 65_536


@dataclass(slots=True)
class Shot:
    """One picture that differs from the one before it, and how long it stays."""

    path: Path
    delay_ms: int
    small: Image.Image


class Reel:
    """Takes frames one by one and writes them all at the end. It holds small copies only, the frames stay on disk."""

    def __init__(self) -> None:
        """Start with no frame."""
        self.shots: list[Shot] = []
        self._last: bytes = b""

    def add(self, path: Path, delay_ms: int) -> None:
        """Take a frame; one that equals the one before makes that one stay longer."""
        raw = path.read_bytes()
        if self.shots and raw == self._last:
            self.shots[-1].delay_ms += delay_ms
            return
        with Image.open(path) as image:
            # Nearest neighbour, not an average: the flat colours of a page stay what they are.
            small = image.convert("RGB").resize(
                (max(1, image.width // _QUARTER), max(1, image.height // _QUARTER)), Image.Resampling.NEAREST
            )
        self.shots.append(Shot(path, delay_ms, small))
        self._last = raw

    def write(self, gif: Path, png: Path) -> dict[str, int]:
        """Write both files and return their facts.

        Raises:
            ValueError: there is no frame.
        """
        if not self.shots:
            message = "there is no frame"
            raise ValueError(message)
        palette, colours = palette_of([shot.small for shot in self.shots])
        frames, delays = self._deltas(palette)
        for frame in frames:
            frame.putpalette(colours)
        frames[0].save(
            gif, format="GIF", save_all=True, append_images=frames[1:], duration=delays, loop=0, disposal=1,
            transparency=_CLEAR, optimize=False,
        )
        with Image.open(self.shots[0].path) as first:
            first.convert("RGB").save(png, format="PNG", compress_level=3)
            width, height = first.size
        return {"width": width, "height": height, "frames": len(frames), "gif_bytes": gif.stat().st_size}

    def _deltas(self, palette: Image.Image) -> tuple[list[Image.Image], list[int]]:
        """Return the frames in palette colours, each but the first clear where nothing changed."""
        frames: list[Image.Image] = []
        delays: list[int] = []
        before: Image.Image | None = None
        for shot in self.shots:
            with Image.open(shot.path) as image:
                now = image.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)
            if before is None:
                frames.append(now)
            else:
                same = ImageChops.difference(_indexes(now), _indexes(before)).point(_IS_ZERO)
                if same.getextrema() == (255, 255):
                    delays[-1] += shot.delay_ms
                    continue
                delta = now.copy()
                delta.paste(_CLEAR, mask=same)
                frames.append(delta)
            delays.append(shot.delay_ms)
            before = now
        return frames, delays


_IS_ZERO: Final = [255] + [0] * 255


def _indexes(image: Image.Image) -> Image.Image:
    """Return the palette indexes as grey values, so that pictures can be compared."""
    return Image.frombytes("L", image.size, image.tobytes())


def palette_of(small: list[Image.Image]) -> tuple[Image.Image, list[int]]:
    """Choose one palette for all frames, its last place left free for clear.

    Returns:
        The palette to map pixels with, and the colours to write in its places: of all colours that come to one place,
        the commonest rather than their average, so that the flat areas of a page keep their very colour.
    """
    width = max(image.width for image in small)
    sheet = Image.new("RGB", (width, sum(image.height for image in small)))
    top = 0
    for image in small:
        sheet.paste(image, (0, top))
        top += image.height
    palette = sheet.quantize(colors=_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return palette, _true_colours(sheet, palette)


def _true_colours(sheet: Image.Image, palette: Image.Image) -> list[int]:
    colours = [*(palette.getpalette() or []), *[0] * 768][:768]
    counted = sheet.getcolors(_MOST_COUNTED)
    if counted is None:
        # A photograph rather than a chart: no colour is commoner than others.
        return colours
    row = Image.frombytes("RGB", (len(counted), 1), bytes(part for _, colour in counted for part in _parts(colour)))
    places = row.quantize(palette=palette, dither=Image.Dither.NONE).tobytes()
    commonest: dict[int, int] = {}
    for (count, colour), place in zip(counted, places, strict=True):
        if count > commonest.get(place, 0):
            commonest[place] = count
            colours[3 * place : 3 * place + 3] = _parts(colour)
    return colours


def _parts(colour: object) -> tuple[int, ...]:
    return colour if isinstance(colour, tuple) else ()


def work(commands: TextIO, answers: TextIO) -> int:
    """Take commands until the files are written."""
    reel = Reel()
    for line in commands:
        command = json.loads(line)
        if "frame" in command:
            reel.add(Path(command["frame"]), int(command["ms"]))
        else:
            files = command["write"]
            answers.write(json.dumps(reel.write(Path(files["gif"]), Path(files["png"]))) + "\n")
            answers.flush()
            return 0
    return 1


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    sys.exit(work(sys.stdin, sys.stdout))
