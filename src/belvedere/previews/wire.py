"""From settings to the service of this room. `app.py` gives what other rooms make."""

from belvedere.audit.model import History
from belvedere.dashboards.service import Dashboards
from belvedere.jobs.model import Queue
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings
from belvedere.notifications.service import Notifications
from belvedere.previews.capture import Chromium
from belvedere.previews.model import Camera, Shape
from belvedere.previews.pictures import Pictures
from belvedere.previews.rendered import Rendering
from belvedere.previews.service import Previews
from belvedere.previews.sights import Sights
from belvedere.previews.slots import Slots
from belvedere.previews.subjects import subjects
from belvedere.previews.tokens import CaptureTokens
from belvedere.workspaces.grafana.passes import Mode, mode_of
from belvedere.workspaces.grafana.wire import base_of
from belvedere.workspaces.service import Workspaces


def previews_of(
    settings: Settings, *, database: Database, queue: Queue, history: History, notifications: Notifications,
    workspaces: Workspaces, dashboards: Dashboards,
) -> Previews:
    """Make the service; `workspaces` let the camera in, of `dashboards` it takes pictures."""
    tokens = CaptureTokens(database=database, session_s=settings.capture_timeout_ms / 1000 + 30)
    sights = Sights(
        tokens=tokens, portal_url=settings.inner_url, passes=workspaces, theme=settings.capture_theme,
        capture_s=settings.capture_timeout_ms / 1000,
    )
    return Previews(
        database=database, queue=queue, history=history, camera=_camera(settings), notifications=notifications,
        pictures=Pictures(settings.path(settings.capture_dir)), sights=sights,
        slots=Slots(settings.path("browsers"), settings.capture_browsers), browsers=settings.capture_browsers,
        tokens=tokens, subjects=subjects(dashboards),
    )


def _camera(settings: Settings) -> Camera:
    shape = Shape(
        width=settings.capture_width, height=settings.capture_height, frames=settings.capture_frames,
        delay_ms=settings.capture_frame_delay_ms, timeout_s=settings.capture_timeout_ms / 1000,
        memory_bytes=settings.capture_memory_bytes, theme=settings.capture_theme,
    )
    ca_file = base_of(settings).ca_file
    browser = Chromium(
        place=settings.path("browsers"), shape=shape, program=settings.browser, enabled=settings.capture_enabled,
        ca_file=ca_file,
    )
    if not settings.capture_enabled or mode_of(settings.grafana_capture) is not Mode.RENDERER:
        return browser
    return Rendering(browser=browser, shape=shape, ca_file=ca_file)
