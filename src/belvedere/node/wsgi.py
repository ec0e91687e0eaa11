"""The portal as a WSGI application, for those who run gunicorn: no event stream, so pages poll."""

import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from belvedere.kernel.logging import configure
from belvedere.kernel.settings import load

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_making = threading.Lock()
_made: "list[WSGIApplication]" = []


def portal() -> "WSGIApplication":
    """Make the application of this process once, whichever thread asks first, on a database that is up to date."""
    with _making:
        if not _made:
            _made.append(_make())
        return _made[0]


def _make() -> "WSGIApplication":
    from belvedere.app import build
    from belvedere.kernel.control import EMBEDDED, source
    from belvedere.node.database import prepare
    from belvedere.node.home import Home
    from belvedere.web.app import create_app

    settings = load()
    os.umask(0o077)
    Home(settings.home_path).prepare()
    configure(settings, part="web")
    if source(settings) != EMBEDDED:
        prepare(settings)
    return create_app(build(settings)).wsgi_app


def run_master(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Serve one request of the portal."""
    return portal()(environ, start_response)
