"""What the web server's worker process imports: logging for this process, then the application of `live.py`."""

from belvedere.kernel.logging import configure
from belvedere.kernel.settings import load
from belvedere.node.parts import supervised

_settings = load()
configure(_settings, part="web", screen=_settings.debug or not supervised())

from belvedere.live import application  # noqa: E402  (its import already logs)

__all__ = ["application"]
