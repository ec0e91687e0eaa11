"""Pictures by Grafana's own image renderer: one still frame each, where no browser of ours may look at its pages.

Grafana answers a picture whatever happens, also when the renderer is not installed or gave up (seen on 11.0.0: 478 x
208 pixels, status 200). So a picture of another size than the one that was asked for is none. The renderer takes a
picture whatever it sees: a sign-in page where Grafana does not know it, Chromium's own page where it does not reach
Grafana, panels without their data when the time is over, each in the right size (seen with renderer 3.10.5). So
the dashboard must be there, the time must not be used up, and a second, small picture in the other colours must have
them: only pages that Grafana shows to those whom it lets in follow the `theme` of their address. It is of a dashboard
that does not exist, so that no query is asked twice. What is not here: pages that a browser looks at (`capture.py`),
the renderer itself, which is a program or plugin of Grafana's.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

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
_SHARE: Final = 0.7
"""How much of the time the picture itself may take; the rest is for the second one and for encoding."""
_PROBE: Final = (480, 270)
_NONE: Final = "belvedere-none"
_APART: Final = 64
"""How far the middle brightness of light and dark pages is apart at least; in Grafana 11.0.0 it is some 220 of 255."""
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
        self._must_be_there(url, entry)
        picture = self._picture(url, entry, (shape.width, shape.height), started + shape.timeout_s * _SHARE)
        self._must_follow_colours(url, entry, picture, started + shape.timeout_s)
        frame = folder / "frame-0.png"
        frame.write_bytes(picture)
        gif, png = folder / "film.gif", folder / "film.png"
        with encoding(deadline=started + shape.timeout_s) as encoder:
            encoder.add(frame, shape.delay_ms)
            facts = encoder.write(gif, png)
        took = round((monotonic_s() - started) * 1000)
        return Film(gif, png, facts["width"], facts["height"], facts["frames"], facts["gif_bytes"], duration_ms=took)

    def _must_be_there(self, url: str, entry: Entry) -> None:
        """Refuse a dashboard that Grafana does not show: of that there would be a picture as well."""
        uid = _uid(url)
        try:
            with self._asked(_LONGER_S) as asked:
                answer = asked.get(f"{entry.base}/api/dashboards/uid/{uid}", headers=_sent(entry))
        except (httpx2.HTTPError, OSError) as error:
            raise _away(error) from None
        if answer.status_code in {401, 403}:
            message = "Grafana did not accept the token for the dashboard."
            raise CaptureFailed(message, code="page-sign-in")
        if answer.status_code != _OK:
            message = f"Grafana answered {answer.status_code} for the dashboard."
            raise CaptureFailed(message, code="page-away")

    def _asked(self, timeout_s: float) -> httpx2.Client:
        return client(timeout_s=timeout_s, transport=self.transport, ca_file=self.ca_file)

    def _picture(self, url: str, entry: Entry, size: tuple[int, int], deadline: float) -> bytes:
        """Have one picture made of that size, whole and in time."""
        started, (width, height) = monotonic_s(), size
        # The renderer's own time-out comes first, so that Grafana's answer says so.
        wait_s = max(1, int(deadline - started - _LONGER_S))
        more = f"width={width}&height={height}&scale=1&timeout={wait_s}&tz=UTC"
        found = bytearray()
        late = f"Grafana's image renderer gave no whole picture within {wait_s} s (CAPTURE_TIMEOUT)."
        try:
            with (
                self._asked(max(1.0, deadline - started)) as asked,
                asked.stream("GET", f"{url}&{more}", headers=_sent(entry)) as answer,
            ):
                _must_be_picture(answer)
                if monotonic_s() - started >= wait_s:
                    raise CaptureFailed(late, code="grafana-renderer")
                for piece in answer.iter_bytes():
                    found += piece
                    if len(found) > _MOST_BYTES or monotonic_s() > deadline:
                        message = "Grafana's image renderer sends a picture without end."
                        raise CaptureFailed(message, code="grafana-renderer")
        except httpx2.TimeoutException:
            raise CaptureFailed(late, code="grafana-renderer") from None
        except (httpx2.HTTPError, OSError) as error:
            raise _away(error) from None
        self._must_be_whole(found, size, entry)
        return bytes(found)

    def _must_follow_colours(self, url: str, entry: Entry, picture: bytes, deadline: float) -> None:
        """Refuse a picture of a page that anybody is shown: none of them changes its colours with the address."""
        theme = self.shape.theme
        other = url.replace(f"theme={theme}", f"theme={'light' if theme == 'dark' else 'dark'}")
        other = other.replace(f"/d/{_uid(url)}", f"/d/{_NONE}", 1)
        second = self._picture(other, entry, _PROBE, deadline)
        if abs(_brightness(picture) - _brightness(second)) < _APART:
            message = (
                "Grafana's image renderer was not shown the dashboard but another page, such as the one to sign in: "
                "look at callback_url in [rendering], and at the cache that several Grafanas must share."
            )
            raise CaptureFailed(message, code="grafana-renderer")

    def _must_be_whole(self, found: bytearray, size: tuple[int, int], entry: Entry) -> None:
        """Refuse the pictures by which Grafana says that there is none."""
        try:
            with Image.open(io.BytesIO(found)) as picture:
                width, height = picture.size
                picture.verify()
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            message = "Grafana's image renderer answered a picture that is none."
            raise CaptureFailed(message, code="grafana-renderer") from None
        if (width, height) == size:
            return
        if not self._is_there(entry):
            message = f"Grafana has no image renderer: {_INSTALL}."
            raise CaptureFailed(message, code="grafana-renderer")
        message = (
            f"Grafana's image renderer answered a picture of {width} x {height} instead of {size[0]} x {size[1]}: "
            "it failed, took too long or allows no larger ones. Its log says which."
        )
        raise CaptureFailed(message, code="grafana-renderer")

    def _is_there(self, entry: Entry) -> bool:
        """Ask whether Grafana knows of a renderer; a Grafana that does not say may have one."""
        try:
            with self._asked(_LONGER_S) as asked:
                answer = asked.get(f"{entry.base}/api/frontend/settings", headers=_sent(entry))
                return msgspec.json.decode(answer.content, type=_Settings).renderer_available
        except (httpx2.HTTPError, OSError, msgspec.MsgspecError):
            return True


def _uid(url: str) -> str:
    return urlsplit(url).path.rpartition("/d/")[2].partition("/")[0]


def _sent(entry: Entry) -> dict[str, str]:
    return {"Authorization": f"Bearer {entry.token.reveal()}"}


def _away(error: Exception) -> CaptureFailed:
    message = f"Grafana could not be asked for the picture: {type(error).__name__}."
    return CaptureFailed(message, code="page-away")


def _brightness(picture: bytes) -> int:
    """Return the brightness that half of a picture's points have at most, 0 to 255."""
    with Image.open(io.BytesIO(picture)) as opened:
        counts = opened.convert("L").histogram()
    passed, half = 0, sum(counts) / 2
    for level, count in enumerate(counts):
        passed += count
        if passed >= half:
            return level
    return 0


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
