"""The words of this room: a preview and its attempts, the shape of a picture, the port that takes one.

Nothing here touches a browser, a file or the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec

from belvedere.kernel.errors import Later, Rejected, Stuck
from belvedere.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class Shape:
    """How a preview is taken: its size in pixels, its frames, and what one capture may cost at most."""

    width: int = 1920
    height: int = 1080
    frames: int = 10
    delay_ms: int = 500
    timeout_s: float = 60.0
    memory_bytes: int = 2_147_483_648
    theme: str = "light"

    def __post_init__(self) -> None:
        """Refuse what no browser can do.

        Raises:
            Rejected: a value is out of range; the message names the setting and the range.
        """
        ranges = (
            ("CAPTURE_WIDTH", self.width, 320, 7680), ("CAPTURE_HEIGHT", self.height, 240, 4320),
            ("CAPTURE_FRAMES", self.frames, 1, 100), ("CAPTURE_FRAME_DELAY", self.delay_ms, 20, 60_000),
            ("CAPTURE_TIMEOUT", round(self.timeout_s * 1000), 1000, 3_600_000),
            ("BELVEDERE_CAPTURE_MEMORY_BYTES", self.memory_bytes, 268_435_456, 1 << 40),
        )
        for name, value, least, most in ranges:
            if not least <= value <= most:
                message = f"{name}={value} is out of range. Use {least} to {most}."
                raise Rejected(message, code="setting", field=name)
        if self.theme not in {"light", "dark"}:
            message = f"BELVEDERE_CAPTURE_THEME={self.theme} is none. Use light or dark."
            raise Rejected(message, code="setting", field="BELVEDERE_CAPTURE_THEME")


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a dashboard, or the wish for one.

    `state` is waiting, working, captured or failed. `version` is the moment of the dashboard's change that it
    shows. Paths are relative to the folder of the pictures. `frames` counts different ones; `duration_ms` is the
    last attempt's. `error` of a captured one says what is wrong with what it shows.
    """

    id: UUID
    tenant_id: int
    dashboard_id: UUID
    state: str
    version: datetime
    attempts: int
    requested_by: str
    requested_at: datetime
    next_try_at: datetime | None = None
    started_at: datetime | None = None
    captured_at: datetime | None = None
    duration_ms: int | None = None
    error: str | None = None
    gif_path: str | None = None
    png_path: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    gif_bytes: int | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a preview. `outcome` is working, captured, failed, or lost when its runner was killed."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What there is to capture and to tell: a dashboard in the words that a message needs.

    The camera opens `url`; the message carries `link`, which goes on leading to the dashboard when it has moved.
    `changed_at` is its version: a picture of that version is never taken twice by itself.
    """

    tenant: int
    dashboard_id: UUID
    title: str
    url: str
    link: str
    creator: str
    changed_at: datetime


Subjects = Callable[[UUID], Subject | None]
"""Look up a dashboard; None when it is gone. `app.py` hands it in."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How the browser gets into a Grafana: `token` goes to addresses below `base` and nowhere else.

    An empty token is for pages that everybody may see. A page without an entry is the portal's own. A `rendered` one
    needs no browser: the address answers with a picture.
    """

    base: str
    token: Secret
    rendered: bool = False


@dataclass(frozen=True, slots=True)
class Film:
    """What a camera made: two files, and what is in the moving one.

    `flaw` says what is wrong with what the pictures show, such as panels in error; empty when nothing is.
    """

    gif: Path
    png: Path
    width: int
    height: int
    frames: int
    gif_bytes: int
    duration_ms: int
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class CameraState:
    """Whether pictures can be taken on this machine, as a sentence, and what to do if not."""

    ready: bool
    text: str
    hint: str = ""


class NoBrowser(Stuck):
    """No Chromium is on this machine, so dashboards have no pictures and messages go out as text. Install one."""

    code = "no-browser"


class CaptureFailed(Later):
    """The capture did not come to an end. It is repeated by itself."""

    code = "capture-failed"

    def __init__(self, detail: str | None = None, *, still: Path | None = None, code: str | None = None) -> None:
        """Say why, and where a still of what was there lies, if there is one."""
        super().__init__(detail, code=code)
        self.still = still


class Camera(Protocol):
    """What takes pictures of pages: Chromium, or the twin in `testing.py`."""

    def state(self) -> CameraState:
        """Tell whether pictures can be taken here. Cheap enough for a page."""
        ...

    def end_leftovers(self) -> int:
        """End what an earlier owner of a camera here left running; return how many there were."""
        ...

    def film(self, url: str, folder: Path, entry: Entry | None = None) -> Film:
        """Open `url`, wait until it is ready, and leave a moving and a still picture in `folder`.

        With an `entry` the page is a Grafana's, without one the portal's.

        Raises:
            NoBrowser: there is nothing to take pictures with.
            CaptureFailed: it did not work this time; the error may carry a still.
        """
        ...
