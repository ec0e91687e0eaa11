"""A stand-in for SFTPGo's REST API: users in memory, or in a file, with the answers of 2.7.5 as they were seen."""

import base64
import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import httpx2

_WORDS: Final = frozenset({
    "*", "list", "download", "upload", "overwrite", "delete", "delete_files", "delete_dirs", "rename", "rename_files",
    "rename_dirs", "create_dirs", "create_symlinks", "chmod", "chown", "chtimes", "copy",
})  # fmt: skip
_HASHED: Final = ("$argon2id$", "$2a$", "$2b$", "$2y$")
_NAME: Final = "Invalid input. Slashes (/ ), colons (:), control characters, and reserved system names are not allowed"
_MOST: Final = 500


class TwinSftpGo(httpx2.BaseTransport):
    """Answers requests as SFTPGo does. `trouble` is a status to answer with instead, -1 for a broken connection."""

    def __init__(self, file: Path | None = None, *, password: str = "admin") -> None:  # noqa: S107  (a twin's)
        """Take a file for what has to outlive the process; none: memory."""
        self._file = file
        self._login = base64.b64encode(f"admin:{password}".encode()).decode()
        self._time = 1_795_316_404_073
        self._tokens = 0
        self.valid: set[str] = set()
        self.users: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file and file.exists() else {}
        self.trouble: list[int] = []
        self.calls: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/api/v2")
        self.calls.append(f"{request.method} {path}")
        if self.trouble:
            status = self.trouble.pop(0)
            if status < 0:
                message = "the twin broke off"
                raise httpx2.ConnectError(message, request=request)
            if status:
                return _error(status, "in trouble")
        if path == "/token":
            return self._token(request)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return _error(401, "no token found", "Unauthorized")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        answer = self._answer(request, parts)
        if self._file is not None:
            self._file.write_text(json.dumps(self.users))
        return answer

    def change_password(self, name: str) -> None:
        """Do what a person does on SFTPGo's own pages."""
        self._time += 1
        self.users[name] |= {"has_password": True, "last_password_change": self._time}

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        if request.headers.get("Authorization", "") != f"Basic {self._login}":
            return _error(401, "invalid credentials", "Unauthorized")
        self._tokens += 1
        self.valid.add(f"token {self._tokens}")
        return _json(200, {"access_token": f"token {self._tokens}", "expires_at": "2099-01-01T00:00:00Z"})

    def _answer(  # noqa: PLR0911  (one line a call)
        self, request: httpx2.Request, parts: list[str]
    ) -> httpx2.Response:
        match request.method, parts:
            case "GET", ["version"]:
                return _json(200, {"version": "2.7.5", "features": []})
            case "GET", ["users"]:
                query = parse_qs(request.url.query.decode())
                start, most = int(query.get("offset", ["0"])[0]), min(int(query.get("limit", ["100"])[0]), _MOST)
                names = sorted(self.users)[start : start + most]
                return _json(200, [self.users[name] for name in names])
            case "POST", ["users"]:
                return self._make(json.loads(request.content))
            case _, ["users", name] if name not in self.users:
                return _error(404, "Not Found")
            case "GET", ["users", name]:
                return _json(200, self.users[name])
            case "PUT", ["users", name]:
                return self._change(name, json.loads(request.content))
            case "DELETE", ["users", name]:
                del self.users[name]
                return _json(200, {"message": "User deleted"})
            case "POST", ["quotas", "users", name, "scan"]:
                return _json(202, {"message": "Scan started"}) if name in self.users else _error(404, "Not Found")
        return _json(404, {"message": "Not Found"})

    def _make(self, body: dict[str, Any]) -> httpx2.Response:
        if (wrong := _wrong(body)) is not None:
            return wrong
        if body["username"] in self.users:
            return _error(409, "duplicated key not allowed: UNIQUE constraint failed: users.username")
        self.users[body["username"]] = self._kept(body, {})
        return _json(201, self.users[body["username"]])

    def _change(self, name: str, body: dict[str, Any]) -> httpx2.Response:
        if (wrong := _wrong(body | {"username": name})) is not None:
            return wrong
        self.users[name] = self._kept(body | {"username": name}, self.users[name])
        return _json(200, {"message": "User updated"})

    def _kept(self, body: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
        """Return a user as it is shown: empty members left out, never a password."""
        password = body.get("password")
        has = before.get("has_password", False) if password is None else bool(password)
        made = {key: value for key, value in body.items() if key not in {"password", "has_password"} and value}
        made |= {
            "username": body["username"], "status": body.get("status", 0), "quota_size": body.get("quota_size", 0),
            "quota_files": body.get("quota_files", 0), "filesystem": {"provider": 0},
        }
        made.pop("last_password_change", None)
        changed = before.get("last_password_change")
        if password and not str(password).startswith(_HASHED):
            self._time += 1
            changed = self._time
        return made | ({"has_password": True} if has else {}) | ({"last_password_change": changed} if changed else {})


def _wrong(body: dict[str, Any]) -> httpx2.Response | None:
    name, home = str(body.get("username", "")), str(body.get("home_dir", ""))
    if not name or any(sign in name for sign in "/:\0\n"):
        return _error(400, f"Validation error: {_NAME}")
    if not home.startswith("/"):
        return _error(400, f"Validation error: home_dir must be an absolute path, actual value: {home}")
    granted = body.get("permissions") or {}
    if not granted.get("/"):
        return _error(400, "Validation error: please grant some permissions to this user")
    for word in (word for words in granted.values() for word in words):
        if word not in _WORDS:
            return _error(400, f'Validation error: invalid permission: "{word}"')
    for number, key in enumerate(body.get("public_keys") or []):
        try:
            base64.b64decode(key.split()[1], validate=True)
        except (ValueError, IndexError):
            return _error(400, f"Validation error: error parsing public key at position {number}: ssh: no key found")
    return None


def _error(status: int, error: str, message: str = "") -> httpx2.Response:
    return _json(status, {"error": error, "message": message})


def _json(status: int, value: object) -> httpx2.Response:
    return httpx2.Response(status, json=value)
