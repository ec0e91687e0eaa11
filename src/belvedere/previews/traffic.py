"""What goes over the network while a page is captured: what is under way, what was refused, how the page was answered.

What is not here: the judgement over a request (`entrance.py`), the waiting (`capture.py`).
"""

from typing import Any, Final
from urllib.parse import urlsplit

from belvedere.previews.devtools import DevTools
from belvedere.previews.entrance import Entrance, Verdict

_UNAUTHORISED: Final = 401
_WRONG: Final = range(400, 600)
_ENDLESS: Final = frozenset({"WebSocket", "EventSource", "Ping"})
_NO_CONTENT: Final = 204
_DASHBOARD: Final = ("/api/dashboards/uid/", "/api/public/dashboards/")
"""Where a page asks for its dashboard, one more word behind it; both are of the same length in words."""


class Traffic:
    """The page's requests, as the browser tells of them. With an entrance none leaves without being judged."""

    def __init__(self, tools: DevTools, entrance: Entrance | None) -> None:
        """Listen from now on; the browser tells once `watch` was called."""
        self._tools = tools
        self._entrance = entrance
        self._open: set[str] = set()
        self._frame = ""
        self.status: int | None = None
        self.denied = 0
        self.led_away = ""
        self.no_dashboard: int | None = None

    def watch(self) -> None:
        """Have the browser tell of its requests, and ask before each where there is an entrance."""
        for event, listener in (
            ("Network.requestWillBeSent", self._begun), ("Network.responseReceived", self._responded),
            ("Network.loadingFinished", self._ended), ("Network.loadingFailed", self._ended),
        ):
            self._tools.listen(event, listener)
        self._tools.call("Network.enable")
        if self._entrance is not None:
            self._frame = self._tools.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
            self._tools.listen("Fetch.requestPaused", self._paused)
            self._tools.call("Network.setBypassServiceWorker", bypass=True)
            self._tools.call("Fetch.enable", patterns=[{"urlPattern": "*"}])

    @property
    def under_way(self) -> int:
        """How many requests have no answer yet."""
        return len(self._open)

    def _begun(self, event: dict[str, Any]) -> None:
        if event.get("type") not in _ENDLESS:
            self._open.add(event["requestId"])

    def _ended(self, event: dict[str, Any]) -> None:
        self._open.discard(event["requestId"])

    def _responded(self, event: dict[str, Any]) -> None:
        status, path = event["response"]["status"], urlsplit(event["response"]["url"]).path
        # The page's own document is the one request whose id is its loader's; frames within have other loaders,
        # but come later than the first probe that counts.
        if event.get("type") == "Document":
            if event.get("requestId") == event.get("loaderId"):
                self.status = status
        elif self._entrance is not None and "/api/" in path:
            self.denied += bool(self._entrance.entry.token) and status == _UNAUTHORISED
            asked = any(one in path for one in _DASHBOARD) and path.count("/") == _slashes(self._entrance)
            if asked and status in _WRONG:
                self.no_dashboard = status

    def _paused(self, event: dict[str, Any]) -> None:
        number, request = event["requestId"], event["request"]
        if self._entrance is None:  # pragma: no cover  (nothing is asked then)
            return
        verdict = self._entrance.judge(request["method"], request["url"])
        if verdict is Verdict.REFUSE:
            if event.get("resourceType") == "Document" and event.get("frameId") == self._frame:
                parts = urlsplit(request["url"])
                self.led_away = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
            self._tools.post("Fetch.failRequest", requestId=number, errorReason="BlockedByClient")
        elif verdict is Verdict.ANSWER:
            self._tools.post("Fetch.fulfillRequest", requestId=number, responseCode=_NO_CONTENT)
        elif verdict is Verdict.TOKEN:
            # These headers hold for this hop alone: what a redirect leads to is paused and judged anew.
            sent = [{"name": name, "value": value} for name, value in request["headers"].items()]
            bearer = {"name": "Authorization", "value": f"Bearer {self._entrance.entry.token.reveal()}"}
            self._tools.post("Fetch.continueRequest", requestId=number, headers=[*sent, bearer])
        else:
            self._tools.post("Fetch.continueRequest", requestId=number)


def _slashes(entrance: Entrance) -> int:
    """Count the slashes in the path of one dashboard, whatever stands before it."""
    return urlsplit(entrance.entry.base).path.rstrip("/").count("/") + "/api/dashboards/uid/x".count("/")
