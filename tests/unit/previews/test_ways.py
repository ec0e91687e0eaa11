"""Pictures where the token way is closed: a public page without a token, or Grafana's image renderer."""

import io
import time
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.secret import Secret
from belvedere.previews.entrance import Entrance, Verdict
from belvedere.previews.model import CaptureFailed, Entry, Shape
from belvedere.previews.rendered import Rendering
from belvedere.previews.testing import PaintedCamera
from belvedere.workspaces.grafana.passes import CapturePass, Mode

from .conftest import ALICE

URL = "http://127.0.0.1/d/b1?orgId=2"
SMALL = Shape(width=640, height=360, timeout_s=20.0)
ENTRY = Entry("http://127.0.0.1", Secret("glsa_the-token"), rendered=True)


def given(mode: Mode, page: str = "") -> CapturePass:
    token = Secret("" if page else "glsa_the-token")
    return CapturePass("http://127.0.0.1", token, 2, 7, 9, 0.0, ALICE, mode, page)


@pytest.mark.parametrize(
    ("way", "address", "rendered"),
    [
        (given(Mode.PUBLIC, "cafe"), "http://127.0.0.1/public-dashboards/cafe?theme=light", False),
        (given(Mode.RENDERER), "http://127.0.0.1/render/d/b1?orgId=2&kiosk&theme=light", True),
    ],
)
def test_a_picture_is_taken_the_way_that_was_given(room, camera, way, address, rendered) -> None:
    room.passes.of[ALICE] = way
    dashboard = room.dashboard(url=URL)
    room.settle()
    assert room.service.latest(SYSTEM, dashboard).state == "captured"
    assert camera.seen == [address]
    assert [(one.token, one.rendered) for one in camera.entries] == [(way.token, rendered)]
    assert room.passes.asked == [dashboard]
    assert room.passes.ended == [9]
    [message] = room.messages.list(SYSTEM).items
    assert message.url == f"http://127.0.0.1/go/{dashboard.hex}", "nobody is sent to a page that is gone"


def test_a_public_page_is_asked_without_a_token_and_nothing_else_is() -> None:
    entrance = Entrance(Entry("http://grafana:3000", Secret("")))
    query = "http://grafana:3000/api/public/dashboards/cafe/panels/1/query"
    assert entrance.judge("POST", query) is Verdict.PLAIN
    assert entrance.judge("GET", "http://elsewhere:3000/x.png") is Verdict.REFUSE


def picture(width: int = 640, height: int = 360, colour: str = "#2f6f9f") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(made, "PNG")
    return made.getvalue()


class Renderer(httpx2.BaseTransport):
    """A Grafana that answers for its image renderer; without a body as 3.10.5 does, in the colours that are asked."""

    def __init__(
        self, status: int = 200, body: bytes = b"", kind: str = "image/png", *, there: bool = True, board: int = 200,
    ) -> None:
        self.status, self.body, self.kind = status, body, kind
        self.there = there
        self.board = board
        self.seen: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        if request.url.path == "/api/frontend/settings":
            return httpx2.Response(200, json={"rendererAvailable": self.there})
        if request.url.path == "/api/dashboards/uid/b1":
            return httpx2.Response(self.board, json={})
        asked = request.url.params
        body = self.body or self.page(int(asked["width"]), int(asked["height"]), asked["theme"])
        return httpx2.Response(self.status, headers={"Content-Type": self.kind}, content=body)

    def page(self, width: int, height: int, theme: str) -> bytes:
        return picture(width, height, "#f4f5f5" if theme == "light" else "#111217")


class SignIn(Renderer):
    """One whose renderer Grafana does not know: it comes to the page for signing in, dark whatever is asked."""

    def page(self, width: int, height: int, theme: str) -> bytes:
        assert theme
        return picture(width, height, "#0b0c0e")


def film(renderer: httpx2.BaseTransport, desk: Path):
    camera = Rendering(browser=PaintedCamera(), shape=SMALL, transport=renderer)
    return camera.film("http://127.0.0.1/render/d/b1?orgId=2&kiosk&theme=light", desk, ENTRY)


def test_the_renderer_gives_one_still_frame_for_the_token(tmp_path: Path) -> None:
    renderer = Renderer()
    made = film(renderer, tmp_path)
    assert (made.width, made.height, made.frames) == (640, 360, 1)
    with Image.open(made.png) as still, Image.open(made.gif) as moving:
        assert still.size == moving.size == (640, 360)
    there, asked, second = renderer.seen
    assert there.url.path == "/api/dashboards/uid/b1"
    assert {one.headers["Authorization"] for one in renderer.seen} == {"Bearer glsa_the-token"}
    wanted = {"width": "640", "height": "360", "theme": "light", "orgId": "2", "kiosk": ""}
    assert wanted.items() <= dict(asked.url.params).items()
    assert int(asked.url.params["timeout"]) in {8, 9}
    assert {"width": "480", "height": "270", "theme": "dark"}.items() <= dict(second.url.params).items()
    assert (asked.url.path, second.url.path) == ("/render/d/b1", "/render/d/belvedere-none"), "no query is asked twice"


@pytest.mark.parametrize(
    ("renderer", "said"),
    [
        (Renderer(body=picture(478, 208), there=False), "has no image renderer: install"),
        (Renderer(body=picture(1000, 500)), "1000 x 500 instead of 640 x 360"),
        (Renderer(body=b"<html>", kind="text/html; charset=utf-8"), "no picture but text/html"),
        (Renderer(500, b"{}", "application/json"), "answered 500 for the picture"),
        (Renderer(302), "did not accept the token"),
        (Renderer(401), "did not accept the token"),
        (Renderer(body=picture()[:200]), "a picture that is none"),
        (SignIn(), "callback_url"),
        (Renderer(board=404), "answered 404 for the dashboard"),
        (Renderer(board=403), "did not accept the token"),
    ],
)
def test_what_is_no_picture_is_a_failed_attempt_with_what_to_do(tmp_path: Path, renderer: Renderer, said: str) -> None:
    with pytest.raises(CaptureFailed, match=said) as caught:
        film(renderer, tmp_path)
    assert "glsa_" not in str(caught.value)


def test_a_renderer_that_does_not_answer_is_told(tmp_path: Path) -> None:
    class Silent(Renderer):
        def page(self, width: int, height: int, theme: str) -> bytes:
            message = f"no {width} x {height} in {theme}"
            raise httpx2.ReadTimeout(message)

    with pytest.raises(CaptureFailed, match=r"within [89] s \(CAPTURE_TIMEOUT\)"):
        film(Silent(), tmp_path)


def test_a_picture_that_came_when_the_time_was_over_shows_panels_that_wait_and_is_none(tmp_path: Path) -> None:
    class Late(Renderer):
        def page(self, width: int, height: int, theme: str) -> bytes:
            time.sleep(1.05)  # The renderer's whole patience: after it, it takes a picture of whatever there is.
            return super().page(width, height, theme)

    camera = Rendering(browser=PaintedCamera(), shape=replace(SMALL, timeout_s=8.0), transport=Late())
    with pytest.raises(CaptureFailed, match=r"no whole picture within 1 s"):
        camera.film("http://127.0.0.1/render/d/b1?orgId=2&kiosk&theme=light", tmp_path, ENTRY)


def test_the_portals_own_pages_are_left_to_the_browser(tmp_path: Path) -> None:
    browser = PaintedCamera()
    camera = Rendering(browser=browser, shape=SMALL)
    camera.film("http://127.0.0.1:8050/capture/x", tmp_path)
    assert browser.seen == ["http://127.0.0.1:8050/capture/x"]
    assert "image renderer" in camera.state().text
