"""Pictures by Grafana's own image renderer: one still frame each, where no browser of ours may look at its pages.

Grafana answers a picture whatever happens, also when the renderer is not installed or gave up (seen on 11.0.0: 478 x
208 pixels, status 200). So a picture of another size than the one that was asked for is none. What is not here: pages
that a browser looks at (`capture.py`), the renderer itself, which is a program or plugin of Grafana's.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import msgspec
from PIL import Image, UnidentifiedImageError

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.http import client
from belvedere.previews.encoder import encoding
from belvedere.previews.model import Camera, CameraState, CaptureFailed, Entry, Film, Shape

_OK: Final = 200
_MOST_BYTES: Final = 64 << 20
_LONGER_S: Final = 5.0
_INSTALL: Final = "install the image renderer, or set BELVEDERE_GRAFANA_CAPTURE=token"


class _Settings(msgspec.Struct, frozen=True, rename="camel"):
    """`GET /api/frontend/settings`, as far as it counts."""

    renderer_available: bool = True


@dataclass(frozen=True, slots=True)
class Rendering:
    """A camera that has the image renderer take pictures of Grafana's pages, and hands all others to a browser."""

    browser: Camera
    shape: Shape
    ca_file: str = ""
    transport: httpx2.BaseTransport | None = None

    def state(self) -> CameraState:
        """Tell that Grafana's pages need no browser, and whether there is one for the portal's own."""
        rest = self.browser.state()
        return CameraState(ready=True, text=f"Grafana's image renderer takes pictures of its pages. {rest.text}")

    def end_leftovers(self) -> int:
        """End browsers of ours whose owner is gone; return how many there were."""
        return self.browser.end_leftovers()

    def film(self, url: str, folder: Path, entry: Entry | None = None) -> Film:
        """Have a picture made and leave it in `folder`, as a still and as a moving one of one frame.

        Raises:
            NoBrowser: it is the portal's own page, and there is no browser.
            CaptureFailed: it did not work this time.
        """
        if entry is None or not entry.rendered:
            return self.browser.film(url, folder, entry)
        started, shape = monotonic_s(), self.shape
        frame = folder / "frame-0.png"
        frame.write_bytes(self._fetched(url, entry))
        self._must_be_whole(frame, entry)
        gif, png = folder / "film.gif", folder / "film.png"
        with encoding(deadline=started + shape.timeout_s) as encoder:
            encoder.add(frame, shape.delay_ms)
            facts = encoder.write(gif, png)
        took = round((monotonic_s() - started) * 1000)
        return Film(gif, png, facts["width"], facts["height"], facts["frames"], facts["gif_bytes"], duration_ms=took)

    def _fetched(self, url: str, entry: Entry) -> bytes:
        shape = self.shape
        # Grafana's own time-out comes first, so that its answer says so.
        wait_s = max(1, int(shape.timeout_s - _LONGER_S))
        more = f"width={shape.width}&height={shape.height}&scale=1&timeout={wait_s}&tz=UTC"
        headers = {"Authorization": f"Bearer {entry.token.reveal()}"}
        found = bytearray()
        deadline = monotonic_s() + shape.timeout_s
        try:
            with (
                client(timeout_s=shape.timeout_s, transport=self.transport, ca_file=self.ca_file) as asked,
                asked.stream("GET", f"{url}&{more}", headers=headers) as answer,
            ):
                _must_be_picture(answer)
                for piece in answer.iter_bytes():
                    found += piece
                    if len(found) > _MOST_BYTES or monotonic_s() > deadline:
                        message = "Grafana's image renderer sends a picture without end."
                        raise CaptureFailed(message, code="grafana-renderer")
        except httpx2.TimeoutException:
            message = f"Grafana's image renderer gave no picture within {shape.timeout_s:g} s (CAPTURE_TIMEOUT)."
            raise CaptureFailed(message, code="grafana-renderer") from None
        except (httpx2.HTTPError, OSError) as error:
            message = f"Grafana could not be asked for the picture: {type(error).__name__}."
            raise CaptureFailed(message, code="page-away") from None
        return bytes(found)

    def _must_be_whole(self, frame: Path, entry: Entry) -> None:
        """Refuse the pictures by which Grafana says that there is none."""
        try:
            with Image.open(frame) as picture:
                width, height = picture.size
                picture.verify()
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            message = "Grafana's image renderer answered a picture that is none."
            raise CaptureFailed(message, code="grafana-renderer") from None
        if (width, height) == (self.shape.width, self.shape.height):
            return
        if not self._is_there(entry):
            message = f"Grafana has no image renderer: {_INSTALL}."
            raise CaptureFailed(message, code="grafana-renderer")
        message = (
            f"Grafana's image renderer answered a picture of {width} x {height} instead of {self.shape.width} x "
            f"{self.shape.height}: it failed, took too long or allows no larger ones. Its log says which."
        )
        raise CaptureFailed(message, code="grafana-renderer")

    def _is_there(self, entry: Entry) -> bool:
        """Ask whether Grafana knows of a renderer; a Grafana that does not say may have one."""
        headers = {"Authorization": f"Bearer {entry.token.reveal()}"}
        try:
            with client(timeout_s=_LONGER_S, transport=self.transport, ca_file=self.ca_file) as asked:
                answer = asked.get(f"{entry.base}/api/frontend/settings", headers=headers)
                return msgspec.json.decode(answer.content, type=_Settings).renderer_available
        except (httpx2.HTTPError, OSError, msgspec.MsgspecError):
            return True


def _must_be_picture(answer: httpx2.Response) -> None:
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if answer.is_redirect or answer.status_code in {401, 403}:
        message = "Grafana did not accept the token for the picture."
        raise CaptureFailed(message, code="page-sign-in")
    if answer.status_code != _OK:
        message = f"Grafana answered {answer.status_code} for the picture: the image renderer failed; see its log."
        raise CaptureFailed(message, code="grafana-renderer")
    if kind != "image/png":
        message = f"Grafana answered no picture but {kind or 'nothing'}: {_INSTALL}."
        raise CaptureFailed(message, code="grafana-renderer")
