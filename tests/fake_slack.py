"""A local Slack that checks every request against Slack's published description, and can misbehave on demand.

Facts: docs.slack.dev/reference/methods (arguments, scopes, content types, errors), /messaging/formatting-message-text.
It never decides for the code under test: whatever does not fit is answered as Slack does and noted in `wrongs`.
"""

import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(frozen=True)
class Method:
    """One method as it is described: what it needs, what it knows, and how it may be sent."""

    scopes: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    types: tuple[str, ...] = (FORM, JSON)


METHODS = {
    "auth.test": Method((), ()),
    "conversations.info": Method(("channels:read",), ("channel",), ("include_locale", "include_num_members"), (FORM,)),
    "conversations.join": Method(("channels:join",), ("channel",)),
    "conversations.history": Method(
        ("channels:history",), ("channel",),
        ("oldest", "latest", "limit", "cursor", "inclusive", "include_all_metadata"),
    ),
    "chat.postMessage": Method(
        ("chat:write",), ("channel",),
        (
            "text", "blocks", "thread_ts", "unfurl_links", "unfurl_media", "mrkdwn", "parse", "metadata",
            "reply_broadcast",
        ),
    ),
    "files.getUploadURLExternal": Method(
        ("files:write",), ("filename", "length"), ("alt_txt", "snippet_type"), (FORM,)
    ),
    "files.completeUploadExternal": Method(
        ("files:write",), ("files",), ("channel_id", "channels", "thread_ts", "initial_comment", "blocks")
    ),
    "files.info": Method(("files:read",), ("file",), ("count", "cursor", "limit", "page"), (FORM,)),
}
ALL_SCOPES = frozenset(scope for method in METHODS.values() for scope in method.scopes)


@dataclass
class Fault:
    """What goes wrong at the next matching request. `after` means: once the request was taken."""

    kind: str  # status, error, reset, late
    status: int = 500
    error: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    hold: threading.Event = field(default_factory=threading.Event)


class FakeSlack:
    """One workspace with one bot and a few channels."""

    def __init__(self, *, token: str = "xoxb-right", scopes: frozenset[str] = ALL_SCOPES) -> None:
        self.token = token
        self.scopes = set(scopes)
        self.channels = {"C0ALICE": {"name": "alice-dashboards", "is_member": True, "is_archived": False}}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.wrongs: list[str] = []
        self.posted: list[dict[str, Any]] = []
        self.shared: list[dict[str, Any]] = []
        self.files: dict[str, dict[str, Any]] = {}
        self.uploads_without_token = True
        self.faults: dict[str, deque[Fault]] = {}
        self.upload_base: str | None = None
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake._serve(self)

            def log_message(self, *_: object) -> None:
                """Keep tests quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Clients that go away are part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.base}/api/"

    def close(self) -> None:
        for queue in self.faults.values():
            for fault in queue:
                fault.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def fail(self, method: str, kind: str, **more: object) -> Fault:
        """Have the next request for `method` (`upload` for the bytes) go wrong."""
        fault = Fault(kind, **more)  # type: ignore[arg-type]
        self.faults.setdefault(method, deque()).append(fault)
        return fault

    def order(self) -> list[str]:
        """Return the names of the calls, in order."""
        return [name for name, _ in self.calls]

    # --- the wire ------------------------------------------------------------------------------------------

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        name = request.path.removeprefix("/api/") if request.path.startswith("/api/") else "upload"
        queue = self.faults.get(name)
        fault = queue.popleft() if queue else None
        if fault is not None and not fault.after and self._spoil(request, fault):
            return
        if name == "upload":
            status, document = self._take_upload(request, body)
        else:
            status, document = 200, self._call(name, request, body)
        if fault is not None and fault.after and self._spoil(request, fault):
            return
        _reply(request, status, document, {"x-oauth-scopes": ",".join(sorted(self.scopes))})

    def _spoil(self, request: BaseHTTPRequestHandler, fault: Fault) -> bool:
        if fault.kind == "late":
            fault.hold.wait(30)
            return False
        if fault.kind == "reset":
            # A linger of zero makes the kernel send RST instead of FIN.
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()
            request.close_connection = True
            return True
        if fault.kind == "status":
            _reply(request, fault.status, "", fault.headers)
        else:
            _reply(request, 200, {"ok": False, "error": fault.error}, fault.headers)
        return True

    def _call(  # noqa: PLR0911  (one way out for each thing that can be wrong)
        self, name: str, request: BaseHTTPRequestHandler, body: bytes
    ) -> dict[str, Any]:
        method = METHODS.get(name)
        if method is None:
            return self._wrong(f"unknown method {name}", "unknown_method")
        kind = request.headers.get("Content-Type", "").split(";")[0].strip()
        if body and kind not in method.types:
            return self._wrong(f"{name} was sent as {kind}", "invalid_arguments")
        if kind == JSON and "charset=" not in request.headers["Content-Type"] and not _is_ascii_or_utf8(body):
            return self._wrong("JSON that is not UTF-8", "invalid_json")
        arguments = _arguments(kind, body)
        self.calls.append((name, arguments))
        if "token" in arguments or "token" in request.path:
            self._wrong("the token is in the arguments", "")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return {"ok": False, "error": "invalid_auth"}
        missing = [scope for scope in method.scopes if scope not in self.scopes]
        if missing:
            provided = ",".join(sorted(self.scopes))
            return {"ok": False, "error": "missing_scope", "needed": missing[0], "provided": provided}
        lacking = [one for one in method.required if one not in arguments]
        unknown = [one for one in arguments if one not in (*method.required, *method.optional)]
        if lacking or unknown:
            return self._wrong(f"{name}: lacks {lacking}, unknown {unknown}", "invalid_arguments")
        deed: Callable[[dict[str, Any]], dict[str, Any]] = getattr(self, "_" + re.sub(r"\W", "_", name))
        return deed(arguments)

    def _wrong(self, what: str, error: str) -> dict[str, Any]:
        self.wrongs.append(what)
        return {"ok": False, "error": error}

    # --- the methods ---------------------------------------------------------------------------------------

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "url": "https://lab.slack.com/", "team": "Chip lab", "user": "belvedere", "bot_id": "B1"}

    def _conversations_info(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self.channels.get(arguments["channel"])
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        return {"ok": True, "channel": {"id": arguments["channel"], **channel}}

    def _conversations_join(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self.channels.get(arguments["channel"])
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        channel["is_member"] = True
        return {"ok": True, "channel": {"id": arguments["channel"], **channel}}

    def _reachable(self, channel: str) -> dict[str, Any] | None:
        known = self.channels.get(channel)
        if known is None:
            return {"ok": False, "error": "channel_not_found"}
        if known["is_archived"]:
            return {"ok": False, "error": "is_archived"}
        return None if known["is_member"] else {"ok": False, "error": "not_in_channel"}

    def _chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        refused = self._reachable(arguments["channel"])
        if refused:
            return refused
        blocks = arguments.get("blocks", [])
        blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
        fault = wrong_with_blocks(blocks)
        if fault:
            return self._wrong(fault, "invalid_blocks")
        if not arguments.get("text"):
            self._wrong("no text for notifications and screen readers", "")
        stamp = f"1700000000.{len(self.posted):06d}"
        self.posted.append({"ts": stamp, **arguments, "blocks": blocks})
        return {"ok": True, "channel": arguments["channel"], "ts": stamp, "message": {"text": arguments.get("text")}}

    def _conversations_history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        refused = self._reachable(arguments["channel"])
        if refused:
            return refused
        found = [one for one in reversed(self.posted) if one["channel"] == arguments["channel"]]
        limit = int(arguments.get("limit", "100"))
        return {"ok": True, "messages": found[:limit], "has_more": len(found) > limit}

    def _files_getUploadURLExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if int(arguments["length"]) <= 0:
            return {"ok": False, "error": "missing_argument"}
        if len(arguments.get("alt_txt", "")) > 1000:
            return {"ok": False, "error": "alt_txt_too_large"}
        number = f"F{len(self.files):09d}"
        self.files[number] = {
            "length": int(arguments["length"]), "filename": arguments["filename"], "bytes": None, "shared": False,
        }
        base = self.upload_base or self.base
        return {"ok": True, "upload_url": f"{base}/upload/v1/{number}", "file_id": number}

    def _take_upload(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str]:
        number = request.path.rpartition("/")[2]
        self.calls.append(("upload", {"file": number, "length": len(body)}))
        if request.headers.get("Authorization") or self.token.encode() in body or self.token in request.path:
            self.wrongs.append("the token went to the upload address")
        file = self.files.get(number)
        if file is None:
            return 404, ""
        if len(body) != file["length"]:
            self.wrongs.append(f"{len(body)} bytes came, {file['length']} were announced")
            return 400, ""
        file["bytes"] = body
        return 200, f"OK - {len(body)}"

    def _files_completeUploadExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        files = arguments["files"]
        files = json.loads(files) if isinstance(files, str) else files
        if not isinstance(files, list) or not files or any(set(one) - {"id", "title"} for one in files):
            return self._wrong("files is not a list of id and title", "invalid_arguments")
        refused = self._reachable(arguments.get("channel_id", ""))
        if refused:
            return refused
        for one in files:
            file = self.files.get(one["id"])
            if file is None or file["bytes"] is None:
                return self._wrong("a file was shared before its bytes came", "file_not_found")
            if file["shared"]:
                return self._wrong("a file was shared twice", "file_already_completed")
            file["shared"] = True
        self.shared.append({**arguments, "files": files})
        return {"ok": True, "files": files}

    def _files_info(self, arguments: dict[str, Any]) -> dict[str, Any]:
        file = self.files.get(arguments["file"])
        if file is None:
            return {"ok": False, "error": "file_not_found"}
        shares: dict[str, Any] = {}
        for one in self.shared:
            if any(each["id"] == arguments["file"] for each in one["files"]):
                shares.setdefault("public", {})[one["channel_id"]] = [{"ts": "1700000000.000001"}]
        return {"ok": True, "file": {"id": arguments["file"], "shares": shares}}


def _arguments(kind: str, body: bytes) -> dict[str, Any]:
    if kind == FORM:
        return dict(parse_qsl(body.decode(), strict_parsing=bool(body)))
    document: dict[str, Any] = json.loads(body or b"{}")
    return document


def _is_ascii_or_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _reply(request: BaseHTTPRequestHandler, status: int, document: object, headers: dict[str, str]) -> None:
    body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
    request.send_response(status)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def wrong_with_blocks(blocks: list[dict[str, Any]]) -> str | None:  # noqa: PLR0911  (same)
    """Return what Block Kit would refuse: limits, kinds, and characters that were not escaped."""
    if len(blocks) > 50:
        return "more than 50 blocks"
    for block in blocks:
        texts = [block["text"]] if "text" in block else block.get("elements", [])
        most = {"header": 150, "section": 3000, "context": 3000}.get(block["type"])
        if most is None:
            return f"a block of kind {block['type']}"
        if len(block.get("block_id", "")) > 255:
            return "a block_id of more than 255 characters"
        for text in texts:
            if block["type"] == "header" and text["type"] != "plain_text":
                return "a header that is not plain text"
            if not 1 <= len(text["text"]) <= most:
                return f"{len(text['text'])} characters in a {block['type']}"
            if set(text) - {"type", "text", "emoji", "verbatim"} or ("emoji" in text and text["type"] != "plain_text"):
                return "a text object with unknown members"
            if mentions(text["text"]):
                return f"a control sequence: {mentions(text['text'])}"
    return None


def mentions(text: str) -> list[str]:
    """Return what Slack would read as a mention or a command in a text; plain links are not."""
    plain = re.compile(r"https?://[^|<>\s]+(\|[^|<>]+)?$")
    return [found for found in re.findall(r"<([^>]*)>", text) if not plain.match(found)]
