"""The built page assets: which hashed file stands for which name, and how they are sent.

The files are made by `frontend/build.mjs` when the package is built. A checkout that was never built says so on the
page instead of looking broken.
"""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, request, url_for

FOLDER: Final = Path(__file__).with_name("static")
_LEAST_GZIP_BYTES: Final = 1024
_YEAR_S: Final = 31_536_000
_KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""By file ending, and not by the machine's own table, which differs from machine to machine."""

_PACKED: Final = {".woff2"}


@cache
def manifest() -> dict[str, str]:
    """Return the hashed file name of each asset; empty when the assets were not built."""
    file = FOLDER / "manifest.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def asset(name: str) -> str:
    """Return the address of an asset, or an empty string when it was not built."""
    file = manifest().get(name)
    return url_for("assets.file", name=file) if file else ""


@cache
def _content(name: str, *, zipped: bool) -> bytes:
    content = (FOLDER / name).read_bytes()
    return gzip.compress(content, 9, mtime=0) if zipped else content


blueprint = Blueprint("assets", __name__)


@blueprint.get("/assets/<name>")
def file(name: str) -> Response:
    """Send one file of the manifest; its name holds its hash, so it may be kept for ever."""
    if name not in manifest().values():
        abort(404)
    ending = Path(name).suffix
    worth = ending not in _PACKED and (FOLDER / name).stat().st_size >= _LEAST_GZIP_BYTES
    zipped = worth and request.accept_encodings.find("gzip") >= 0
    response = Response(_content(name, zipped=zipped), content_type=_KINDS.get(ending, "application/octet-stream"))
    response.headers["Cache-Control"] = (
        f"public, max-age={_YEAR_S}, immutable" if "-" in name else "public, max-age=3600"
    )
    response.headers["Vary"] = "Accept-Encoding"
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    return response
