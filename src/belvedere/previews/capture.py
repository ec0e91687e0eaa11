"""One capture: open the page, wait until it is ready, take the tour, leave a moving and a still picture.

The page protocol is told in `docs/explanation/previews.md`. What is not here: the browser's life (`browser.py`), the
script that runs in the page (`script.py`), encoding (`encoder.py`), when and how often (`service.py`).
"""

import base64
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Later, NotFound, Stuck
from belvedere.kernel.failpoints import failpoint
from belvedere.previews import browser, script
from belvedere.previews.devtools import DevTools, Gone, Overdue
from belvedere.previews.encoder import Encoder, encoding
from belvedere.previews.entrance import Entrance
from belvedere.previews.model import CameraState, CaptureFailed, Entry, Film, NoBrowser, Shape
from belvedere.previews.script import Manner
from belvedere.previews.traffic import Traffic

_LOOK_S: Final = 0.05
_STILL_S: Final = 5.0
_OK: Final = range(200, 300)
_MOST_HEIGHT: Final = 12_000
"""Pixels of a tall page that are looked at; what lies further down is not in the picture, and it is said."""

_DENIED: Final = 2
_LONGEST_FLAW: Final = 300


class Chromium:
    """The camera of the product: a headless Chromium for each capture."""

    def __init__(
        self, *, place: Path, shape: Shape, program: str = "", enabled: bool = True, ca_file: str = ""
    ) -> None:
        """Keep browsers' folders below `place`. `program` names Chromium; empty means the one that is found.

        Grafana's certificate may be of an authority in `ca_file`, a PEM file.
        """
        self._ca_file = ca_file
        self._enabled = enabled
        self._place = place
        self._shape = shape
        self._program = program

    def state(self) -> CameraState:
        """Tell whether a browser is on this machine and wanted."""
        try:
            found = self._find()
        except NoBrowser as error:
            return CameraState(ready=False, text=error.detail, hint=error.hint or "")
        return CameraState(ready=True, text=f"Previews are taken with {found}.")

    def end_leftovers(self) -> int:
        """End browsers of ours whose owner is gone; return how many there were."""
        return browser.end_leftovers(self._place)

    def _find(self) -> str:
        if not self._enabled:
            message = "Previews are switched off (BELVEDERE_PREVIEWS=0)."
            raise NoBrowser(message, hint="Set BELVEDERE_PREVIEWS=1 to have them.")
        return browser.find(self._program)

    def film(self, url: str, folder: Path, entry: Entry | None = None) -> Film:
        """Open `url`, wait until it is ready, and leave `film.gif` and `film.png` in `folder`.

        With an `entry` the page is a Grafana's, and the browser fetches nothing from anywhere else.

        Raises:
            NoBrowser: there is no browser.
            CaptureFailed: it did not work this time; the error may carry a still.
        """
        program = self._find()
        started = monotonic_s()
        deadline = started + self._shape.timeout_s
        gif, png = folder / "film.gif", folder / "film.png"
        ca_file = self._ca_file if entry is not None and url.startswith("https:") else ""
        with encoding(deadline=deadline) as encoder, ExitStack() as stack:
            running = stack.enter_context(browser.launched(program, self._place, url, self._shape, ca_file))
            try:
                take = _Take(running.tools, encoder, self._shape, folder, entry)
                take.run(url)
            except (Gone, Overdue) as error:
                reason = running.why() if isinstance(error, Gone) else _overdue(self._shape)
                raise CaptureFailed(reason, code=error.problem) from None
            # The page is of no use any more, and the encoder wants its processor.
            running.let_go()
            failpoint("previews.capture.filmed")
            facts = encoder.write(gif, png)
        failpoint("previews.capture.encoded")
        took = round((monotonic_s() - started) * 1000)
        size = (facts["width"], facts["height"], facts["frames"], facts["gif_bytes"])
        return Film(gif, png, *size, duration_ms=took, flaw=take.flaw)


def _overdue(shape: Shape) -> str:
    return f"The capture did not end within {shape.timeout_s:g} s (CAPTURE_TIMEOUT)."


@dataclass(slots=True)
class _Take:
    """One page in one browser, from the first call to the last frame."""

    tools: DevTools
    encoder: Encoder
    shape: Shape
    folder: Path
    entry: Entry | None = None
    missing: list[str] = field(default_factory=list)
    crashed: bool = False
    flaw: str = ""
    height: int = 0
    manner: Manner = field(init=False)
    traffic: Traffic = field(init=False)

    def __post_init__(self) -> None:
        self.manner = script.PORTAL if self.entry is None else script.GRAFANA
        self.traffic = Traffic(self.tools, None if self.entry is None else Entrance(self.entry))

    def run(self, url: str) -> None:
        # What is left at the deadline must do for a still of an unfinished page and its reason.
        last = self.tools.deadline
        self.tools.deadline = last - min(_STILL_S, self.shape.timeout_s / 4)
        try:
            self._open(url)
            self._wait()
            self._tour()
        except Overdue:
            self.tools.deadline = last
            still = self._still()
            reason = "; ".join(self.missing) or "it was still busy with the tour"
            message = f"Not ready after {self.shape.timeout_s:g} s: {reason}."
            raise CaptureFailed(message, still=still, code=Overdue.code) from None
        except Later as error:
            if isinstance(error, Gone | CaptureFailed):
                raise
            raise CaptureFailed(error.detail, still=self._still(), code=error.problem) from None

    def _open(self, url: str) -> None:
        tools, shape = self.tools, self.shape
        tools.attach()
        tools.listen("Inspector.targetCrashed", self._crash)
        tools.listen("Page.javascriptDialogOpening", self._dismiss)
        tools.call("Page.enable")
        tools.call("Inspector.enable")
        self.traffic.watch()
        self._resize(shape.height)
        features = [
            {"name": "prefers-reduced-motion", "value": "reduce"},
            {"name": "prefers-color-scheme", "value": shape.theme},
        ]
        tools.call("Emulation.setEmulatedMedia", media="screen", features=features)
        tools.call("Emulation.setTimezoneOverride", timezoneId="UTC")
        if self.manner.before:
            tools.call("Page.addScriptToEvaluateOnNewDocument", source=self.manner.before)
        failed = tools.call("Page.navigate", url=url).get("errorText")
        if self.traffic.led_away:
            raise self._led_away()
        if failed:
            message = f"The page did not open: {failed}."
            raise CaptureFailed(message, code="page-away")

    def _resize(self, height: int) -> None:
        self.height = height
        size = {"width": self.shape.width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.tools.call("Emulation.setDeviceMetricsOverride", **size)

    def _dismiss(self, _event: dict[str, Any]) -> None:
        self.tools.post("Page.handleJavaScriptDialog", accept=False)

    def _crash(self, _event: dict[str, Any]) -> None:
        self.crashed = True

    def _probe(self) -> bool:
        """Look once; remember what is missing.

        Raises:
            CaptureFailed: waiting longer makes no sense.
        """
        try:
            seen = self.tools.evaluate(self.manner.probe)
        except (Gone, Overdue):
            raise
        except Later:
            # The page is on its way to another one and its script is gone.
            self.missing = ["the page is still loading"]
            return False
        if self.crashed:
            message = "The page crashed in the browser."
            raise CaptureFailed(message, code=Gone.code)
        self._must_be_the_page(sign_in=seen["signIn"])
        self.missing = list(seen["missing"])
        if self.entry is not None and self.traffic.under_way:
            self.missing.append(f"{self.traffic.under_way} requests are under way")
        bottom = min(int(seen["bottom"]), _MOST_HEIGHT)
        if self.manner.tall and bottom > self.height:
            # Panels below the window do not even ask for their data.
            self._resize(bottom)
            self.missing.append("the window has just grown")
        self.flaw = _flaw(seen["failed"], int(seen["panels"]), hidden=int(seen["bottom"]) > _MOST_HEIGHT)
        return not self.missing

    def _must_be_the_page(self, *, sign_in: bool) -> None:
        """Give up where waiting longer makes no sense.

        Raises:
            CaptureFailed: it is not the page that was asked for.
        """
        host, traffic = self.manner.host, self.traffic
        if traffic.led_away:
            raise self._led_away()
        if traffic.status is not None and traffic.status not in _OK:
            message = f"{host} answered {traffic.status} for the page."
            raise CaptureFailed(message, still=self._still(), code="page-status")
        if traffic.no_dashboard is not None:
            message = f"{host} answered {traffic.no_dashboard} for the dashboard."
            raise CaptureFailed(message, code="page-status")
        if sign_in or traffic.denied >= _DENIED:
            message = "The browser came to the sign-in page: its capture token was not accepted."
            raise CaptureFailed(message, code="page-sign-in")

    def _led_away(self) -> CaptureFailed:
        message = f"{self.manner.host} leads to {self.traffic.led_away}, where the browser does not go."
        return CaptureFailed(message, code="page-sign-in")

    def _wait(self) -> None:
        """Wait until the page is ready twice in a row: it may be done with one panel and not have begun the next."""
        ready = 0
        while ready < 2:  # noqa: PLR2004
            ready = ready + 1 if self._probe() else 0
            if ready < 2:  # noqa: PLR2004
                self.tools.wait(_LOOK_S)
        failpoint("previews.capture.ready")

    def _tour(self) -> None:
        tools, shape = self.tools, self.shape
        tools.evaluate(script.DRAWN)
        shot, first = self._shoot(0), monotonic_s()
        tour = tools.evaluate(self.manner.prepare % {"frames": shape.frames, "height": shape.height})
        plan = script.spread(int(tour["steps"]), shape.frames)
        delay_ms, top = shape.delay_ms, 0
        for number, step in enumerate(plan[1:], start=1):
            if tour["kind"] == "film":
                tools.wait(max(0.0, first + number * shape.delay_ms / 1000 - monotonic_s()))
            elif step == plan[number - 1]:
                delay_ms += shape.delay_ms
                continue
            else:
                top = int(tools.evaluate(script.STEP % step))
                while not self._probe():
                    tools.wait(_LOOK_S)
                tools.evaluate(script.DRAWN)
            self.encoder.add(shot, delay_ms)
            shot, delay_ms = self._shoot(number, top), shape.delay_ms
        self.encoder.add(shot, delay_ms)

    def _shoot(self, number: int, top: int = 0) -> Path:
        part: dict[str, Any] = {}
        if self.height > self.shape.height:
            part["clip"] = {"x": 0, "y": top, "width": self.shape.width, "height": self.shape.height, "scale": 1}
        answer = self.tools.call("Page.captureScreenshot", format="png", optimizeForSpeed=True, **part)
        frame = self.folder / f"frame-{number}.png"
        frame.write_bytes(base64.b64decode(answer["data"]))
        return frame

    def _still(self) -> Path | None:
        """Take what is there now, if the browser still answers."""
        with suppress(Later, Stuck, NotFound):
            return self._shoot(9999)
        return None


def _flaw(failed: list[dict[str, str]], panels: int, *, hidden: bool) -> str:
    """Say what is wrong with what the page shows."""
    found = []
    if failed:
        said = [f"{one['name']} ({one['text']})" if one["text"] else one["name"] for one in failed]
        verb = "shows" if len(failed) == 1 else "show"
        found.append(f"{len(failed)} of {panels} panels {verb} an error: {', '.join(said)}")
    if hidden:
        found.append(f"what lies below {_MOST_HEIGHT:,} pixels is not in the picture")
    whole = "; ".join(found)
    whole = whole if len(whole) <= _LONGEST_FLAW else f"{whole[:_LONGEST_FLAW]}..."
    return f"{whole[0].upper()}{whole[1:]}." if whole else ""
