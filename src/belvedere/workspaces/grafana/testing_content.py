"""The twin's organisations: data sources, folders, dashboards, service accounts, as a Grafana 11.0.0 treats them.

What is not here: organisations, users and who may ask (`testing.py`).
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]
Reply = tuple[int, Any]
CACHE_S: Final = 5.0
_UID: Final = re.compile(r"^[A-Za-z0-9_-]+$")
_LONGEST_UID: Final = 40
_POSTGRES: Final = "grafana-postgresql-datasource"


@dataclass
class TwinUser:
    """A user of the server."""

    id: int
    login: str
    name: str
    password: str
    email: str = ""
    server_admin: bool = False
    home: int = 0
    labels: list[str] = field(default_factory=list)


@dataclass
class TwinOrganisation:
    """One organisation. `left` says when members were taken out; `settings` what data sources were, and when."""

    id: int
    name: str
    address: str = ""
    roles: dict[int, str] = field(default_factory=dict)
    left: dict[int, float] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    settings: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    folders: dict[str, Json] = field(default_factory=dict)
    boards: dict[str, Json] = field(default_factory=dict)
    services: dict[int, Json] = field(default_factory=dict)
    tokens: dict[int, Json] = field(default_factory=dict)
    library: list[str] = field(default_factory=list)
    public: dict[str, Json] = field(default_factory=dict)
    rules: list[Json] = field(default_factory=list)
    teams: dict[int, Json] = field(default_factory=dict)
    rights: dict[str, list[Json]] = field(default_factory=dict)


@dataclass
class TwinCall:
    """One request as its answer needs it. `header` is the organisation's as it was sent."""

    user: TwinUser | None
    organisation: TwinOrganisation | None
    member: bool
    role: str
    header: str
    query: dict[str, str]
    body: Any

    @property
    def here(self) -> TwinOrganisation:
        """The organisation that the call is taken for."""
        if self.organisation is None:
            raise Refused(403, "Permissions needed: orgs:read")
        return self.organisation


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, /, **more: str) -> None:
        """Answer with a status and Grafana's sentence."""
        super().__init__(message)
        self.reply: Reply = (status, {"message": message, **more})


class Content:
    """What stands in organisations, and the deeds on it."""

    def __init__(self, *, clock: Callable[[], float], good_password: Callable[[str], bool]) -> None:
        """Take the time, and which passwords the databases behind data sources know."""
        self.clock = clock
        self.good_password = good_password
        self._last = 1

    def next_number(self) -> int:
        """Return a number that was never given out."""
        self._last += 1
        return self._last

    # Data sources

    def sources(self, call: TwinCall) -> Reply:
        """List without versions and without saying which secrets are set."""
        hidden = {"secureJsonFields", "version"}
        return 200, [
            {key: value for key, value in one.items() if key not in hidden} for one in call.here.sources.values()
        ]

    def create_source(self, call: TwinCall) -> Reply:
        """Make the first the default, whatever was asked; take any uid."""
        here, body = call.here, call.body
        if any(one["name"] == body["name"] for one in here.sources.values()):
            raise Refused(409, "data source with the same name already exists")
        if body["uid"] in here.sources:
            raise Refused(409, "data source with the same uid already exists")
        made = self._keep_source(call, body, {"id": self.next_number(), "orgId": here.id}, 1)
        made["isDefault"] = bool(body.get("isDefault")) or len(here.sources) == 1
        return 200, {"datasource": made, "id": made["id"], "message": "Datasource added", "name": made["name"]}

    def source(self, call: TwinCall, uid: str) -> Reply:
        """Read one."""
        return 200, self._source(call, uid)

    def change_source(self, call: TwinCall, uid: str) -> Reply:
        """Replace all but secrets that are not named; take a uid of the body for a new one."""
        here, body, there = call.here, call.body, self._source(call, uid)
        if any(one["name"] == body["name"] and one is not there for one in here.sources.values()):
            message = "Failed to update datasource: data source with the same name already exists"
            raise Refused(409, message)
        version = int(body.get("version") or 0)
        if version and version < there["version"]:
            message = "Datasource has already been updated by someone else. Please reload and try again"
            raise Refused(409, message)
        del here.sources[uid]
        made = self._keep_source(call, {"uid": uid, **body}, there, version + 1 if version else 1)
        return 200, {"datasource": made, "id": made["id"], "message": "Datasource updated", "name": made["name"]}

    def delete_source(self, call: TwinCall, uid: str) -> Reply:
        """Delete one."""
        self._source(call, uid)
        del call.here.sources[uid]
        return 200, {"message": "Data source deleted"}

    def health(self, call: TwinCall, uid: str) -> Reply:
        """Tell by the settings of five seconds ago whether the database lets it in."""
        if uid not in call.here.sources:
            raise Refused(500, "Unable to load datasource metadata")
        known = call.here.settings[uid]
        old = [password for since, password in known if self.clock() - since >= CACHE_S]
        if self.good_password(old[-1] if old else known[0][1]):
            return 200, {"status": "OK", "message": "Database Connection OK"}
        return 400, {"status": "ERROR", "message": "pq: password authentication failed for user"}

    def _source(self, call: TwinCall, uid: str) -> Json:
        if uid not in call.here.sources:
            raise Refused(404, "Data source not found")
        return call.here.sources[uid]

    def _keep_source(self, call: TwinCall, body: Json, there: Json, version: int) -> Json:
        here = call.here
        secrets = body.get("secureJsonData", {})
        fields = {**there.get("secureJsonFields", {}), **dict.fromkeys(secrets, True)}
        fields = {key: True for key in fields if secrets.get(key) != ""}
        kept = ("uid", "name", "access", "url", "user", "database", "isDefault", "jsonData")
        made = {
            **{key: body[key] for key in kept if key in body}, "id": there["id"], "orgId": here.id,
            "type": _POSTGRES if body["type"] == "postgres" else body["type"], "version": version,
            "secureJsonFields": fields, "readOnly": False,
        }
        made.setdefault("isDefault", False)
        here.sources[made["uid"]] = made
        here.settings.setdefault(made["uid"], []).append((self.clock(), str(secrets.get("password", ""))))
        return made

    # Folders and dashboards

    def search(self, call: TwinCall) -> Reply:
        """List what a member may see; for others that is nothing, and no error."""
        if not call.member:
            return 200, []
        here, inside = call.here, call.query.get("folderUIDs")
        folders = [{"uid": one["uid"], "title": one["title"], "type": "dash-folder", "tags": []}
                   for one in here.folders.values() if not inside]
        boards = [{"uid": uid, "title": one["dashboard"]["title"], "type": "dash-db",
                   "tags": one["dashboard"].get("tags", []), "folderUid": one["folder"]}
                  for uid, one in here.boards.items() if inside in {None, one["folder"]}]
        return 200, folders + boards

    def create_folder(self, call: TwinCall) -> Reply:
        """Answer a taken uid as a wrong version, and a taken title as a conflict."""
        here, uid, title = call.here, call.body["uid"], call.body["title"]
        _check_uid(uid)
        if uid in here.folders:
            raise Refused(412, "the folder has been changed by someone else", status="version-mismatch")
        self._free_title(here, title)
        here.folders[uid] = {"uid": uid, "title": title, "version": 1}
        here.rights[uid] = [{"role": "Editor", "permission": 2}, {"role": "Viewer", "permission": 1}]
        if call.user is not None:
            here.rights[uid].insert(0, {"userId": call.user.id, "permission": 4})
        return 200, {**here.folders[uid], "orgId": 0}

    def folder(self, call: TwinCall, uid: str) -> Reply:
        """Read one."""
        if uid not in call.here.folders:
            raise Refused(404, "folder not found", status="not-found")
        return 200, call.here.folders[uid]

    def rename_folder(self, call: TwinCall, uid: str) -> Reply:
        """Rename one of the version that was read."""
        _, folder = self.folder(call, uid)
        if call.body.get("version") != folder["version"]:
            raise Refused(412, "the folder has been changed by someone else", status="version-mismatch")
        self._free_title(call.here, call.body["title"])
        folder.update(title=call.body["title"], version=folder["version"] + 1)
        return 200, folder

    def delete_folder(self, call: TwinCall, uid: str) -> Reply:
        """Delete one with the dashboards in it."""
        self.folder(call, uid)
        del call.here.folders[uid]
        call.here.boards = {key: one for key, one in call.here.boards.items() if one["folder"] != uid}
        return 200, {"message": "Folder deleted"}

    def put_board(self, call: TwinCall) -> Reply:
        """Write one; with `overwrite` a taken title lets it replace the other dashboard and answer with its uid."""
        here, folder, overwrite = call.here, call.body.get("folderUid", ""), bool(call.body.get("overwrite"))
        document = dict(call.body["dashboard"])
        uid = document.get("uid") or f"made{self.next_number()}"
        _check_uid(uid)
        if not document.get("title"):
            raise Refused(400, "Dashboard title cannot be empty", status="empty-name")
        if folder and folder not in here.folders:
            raise Refused(400, "folder not found")
        there = here.boards.get(uid)
        if there and not overwrite and document.get("version", 0) != there["dashboard"]["version"]:
            raise Refused(412, "The dashboard has been changed by someone else", status="version-mismatch")
        same = [key for key, one in here.boards.items()
                if one["folder"] == folder and one["dashboard"]["title"] == document["title"] and key != uid]
        if same and not overwrite:
            message = "A dashboard with the same name in the folder already exists"
            raise Refused(412, message, status="name-exists")
        uid = same[0] if same else uid
        there = here.boards.get(uid)
        version = there["dashboard"]["version"] + 1 if there else 1
        number = there["dashboard"]["id"] if there else self.next_number()
        kept = json.loads(json.dumps({**document, "uid": uid, "id": number, "version": version}))
        here.boards[uid] = {"dashboard": kept, "folder": folder, "by": call.user.login if call.user else "Anonymous"}
        return 200, {"folderUid": folder, "id": number, "status": "success", "uid": uid, "version": version,
                     "url": f"/d/{uid}/x"}

    def board(self, call: TwinCall, uid: str) -> Reply:
        """Read one as it was written, with its number and version."""
        one = self._board(call, uid)
        meta = {"version": one["dashboard"]["version"], "folderUid": one["folder"], "updatedBy": one["by"]}
        return 200, {"dashboard": one["dashboard"], "meta": meta}

    def board_versions(self, call: TwinCall, uid: str) -> Reply:
        """List the newest version with its document; the twin keeps no older ones."""
        one = self._board(call, uid)["dashboard"]
        return 200, [{"id": one["id"], "uid": uid, "version": one["version"], "data": one}]

    def delete_board(self, call: TwinCall, uid: str) -> Reply:
        """Delete one."""
        title = self._board(call, uid)["dashboard"]["title"]
        del call.here.boards[uid]
        return 200, {"message": f"Dashboard {title} deleted", "title": title}

    def _board(self, call: TwinCall, uid: str) -> Json:
        if uid not in call.here.boards:
            raise Refused(404, "Dashboard not found")
        return dict(call.here.boards[uid])

    def _free_title(self, here: TwinOrganisation, title: str) -> None:
        if any(one["title"] == title for one in here.folders.values()):
            message = "a folder with the same name already exists in the current location"
            raise Refused(409, message)

    # Service accounts

    def services(self, call: TwinCall) -> Reply:
        """List them, or those whose name or login holds a text."""
        text = call.query.get("query", "").lower()
        found = [one for one in call.here.services.values() if text in f"{one['name']} {one['login']}".lower()]
        return 200, {"serviceAccounts": found}

    def create_service(self, call: TwinCall) -> Reply:
        """Make one; a taken name is 400."""
        here, name = call.here, call.body["name"]
        if any(one["name"] == name for one in here.services.values()):
            message = "service account already exists"
            raise Refused(400, message, messageId="serviceaccounts.ErrAlreadyExists")
        number = self.next_number()
        here.services[number] = {
            "id": number, "name": name, "login": f"sa-{here.id}-{name}", "orgId": here.id, "isDisabled": False,
            "role": call.body["role"],
        }
        return 201, here.services[number]

    def change_service(self, call: TwinCall, number: str) -> Reply:
        """Change role, name or whether it is enabled."""
        self._service(call, number).update(call.body)
        return 200, {"message": "Service account updated"}

    def delete_service(self, call: TwinCall, number: str) -> Reply:
        """Delete one; one that is not there is an error of the server."""
        if int(number) not in call.here.services:
            raise Refused(500, "Service account deletion error")
        del call.here.services[int(number)]
        call.here.tokens = {key: one for key, one in call.here.tokens.items() if one["account"] != int(number)}
        return 200, {"message": "Service account deleted"}

    def create_token(self, call: TwinCall, number: str) -> Reply:
        """Make a token; its name must be new to the organisation."""
        here, name = call.here, call.body["name"]
        self._service(call, number)
        if any(one["name"] == name for one in here.tokens.values()):
            message = "service account token already exists"
            raise Refused(400, message, messageId="serviceaccounts.ErrTokenAlreadyExists")
        made = self.next_number()
        here.tokens[made] = {"id": made, "name": name, "key": f"glsa_{made:032x}", "account": int(number)}
        return 200, {"id": made, "name": name, "key": here.tokens[made]["key"]}

    def delete_token(self, call: TwinCall, number: str, token: str) -> Reply:
        """End one."""
        self._service(call, number)
        if call.here.tokens.pop(int(token), None) is None:
            raise Refused(404, "service account token not found")
        return 200, {"message": "Service account token deleted"}

    def _service(self, call: TwinCall, number: str) -> Json:
        found: Json | None = call.here.services.get(int(number))
        if found is None:
            raise Refused(404, "service account not found", messageId="serviceaccounts.ErrNotFound")
        return found

    def library(self, call: TwinCall) -> Reply:
        """List library panels."""
        return 200, {"result": {"elements": [{"name": name, "uid": name} for name in call.here.library]}}

    def rules(self, call: TwinCall) -> Reply:
        """List alert rules."""
        return 200, call.here.rules


def _check_uid(uid: str) -> None:
    if len(uid) > _LONGEST_UID:
        raise Refused(400, "uid too long, max 40 characters")
    if not _UID.match(uid):
        raise Refused(400, "uid contains illegal characters")
