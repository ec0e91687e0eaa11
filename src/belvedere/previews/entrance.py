"""What a browser may fetch while it looks at a Grafana, and where the token goes. Pure.

The token goes to Grafana's own address and path and nowhere else: not to another origin, not along a redirect (each
hop is judged anew), not with a request that would write. Everything outside is refused, whoever asks for it: pictures
in text panels, frames, scripts. What is not here: asking the browser to obey (`capture.py`).
"""

import posixpath
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote, urlsplit

from belvedere.previews.model import Entry

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_INNER: Final = frozenset({"data", "blob", "about"})
_UNWANTED: Final = ("/api/live/", "/api/frontend-metrics", "/log-grafana-javascript-agent", "/api/ma/", "/api/gnet/")
_QUERIES: Final = ("/query", "/api/annotations", "/api/tsdb/query")


class Verdict(Enum):
    """What becomes of a request."""

    REFUSE = "refuse"
    ANSWER = "answer with nothing"
    PLAIN = "let go as it is"
    TOKEN = "let go with the token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Entrance:
    """The judge of one capture."""

    entry: Entry

    def judge(self, method: str, url: str) -> Verdict:
        """Say what becomes of a request for `url`."""
        parts = urlsplit(url)
        if parts.scheme in _INNER:
            return Verdict.PLAIN
        base = urlsplit(self.entry.base)
        path = _plain(parts.path)
        root = _plain(base.path).rstrip("/")
        if _origin(url) != _origin(self.entry.base) or not f"{path}/".startswith(f"{root}/"):
            return Verdict.REFUSE
        inside = path[len(root):]
        if inside.startswith(_UNWANTED):
            return Verdict.ANSWER
        if not self.entry.token or inside.startswith("/public/"):
            return Verdict.PLAIN
        reads = method in {"GET", "HEAD"} or (method == "POST" and inside.endswith(_QUERIES))
        return Verdict.TOKEN if reads else Verdict.ANSWER


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", "", 0
    return parts.scheme, (parts.hostname or "").lower(), port


def _plain(path: str) -> str:
    """Return a path as a server may understand it: no dots, no escapes that hide them."""
    return posixpath.normpath("/" + unquote(path).replace("\\", "/").lstrip("/"))
