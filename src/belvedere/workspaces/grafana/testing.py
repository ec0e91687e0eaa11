"""The twin: a Grafana in memory that answers as a real 11.0.0 was seen to, with its traps. For tests alone.

It passes `tests/contract/test_grafana.py` and `test_workspace.py` as the real one does. Members who were taken out keep
their rights for five seconds; a data source tells its health by the settings of five seconds ago. Time is `clock`.
What is not here: how it is made to fail (`tests/grafana_faults.py`).
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import httpx2

from belvedere.kernel.clock import monotonic_s
from belvedere.workspaces.grafana.testing_content import (
    CACHE_S,
    Json,
    Refused,
    Reply,
    TwinCall,
    TwinOrganisation,
    TwinUser,
)
from belvedere.workspaces.grafana.testing_public import PublicContent

_ROLES: Final = frozenset({"Viewer", "Editor", "Admin", "None"})
_SHORTEST_PASSWORD: Final = 4


class TwinGrafana(PublicContent, httpx2.BaseTransport):
    """A server's worth of organisations. Use it as the transport of a client, or read and change what it holds."""

    def __init__(
        self, *, clock: Callable[[], float] = monotonic_s, auto_assign_org: bool = True, version: str = "11.0.0",
        good_password: Callable[[str], bool] = lambda _password: True,
    ) -> None:
        """Start with one organisation and one server administrator, `admin` with the password `admin`."""
        super().__init__(clock=clock, good_password=good_password)
        self.auto_assign_org = auto_assign_org
        self.version = version
        self.calls: list[tuple[str, str, Any]] = []
        self._lock = threading.RLock()
        admin = TwinUser(1, "admin", "admin", "admin", "admin@localhost", server_admin=True, home=1)
        self.users: dict[int, TwinUser] = {1: admin}
        self.organisations: dict[int, TwinOrganisation] = {1: TwinOrganisation(1, "Main Org.", roles={1: "Admin"})}
        self.offers_sessions = True
        self.sessions: dict[str, int] = {}
        self._routes = list(self._table())

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        with self._lock:
            text = request.read()
            body = json.loads(text) if text else None
            status, answer = self.answer(request.method, str(request.url.raw_path, "ascii"), request.headers, body)
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        if status == 200 and request.url.path in {"/login", "/api/user/auth-tokens/rotate"}:  # noqa: PLR2004
            headers["Set-Cookie"] = f"grafana_session={answer.pop('session')}; Path=/; HttpOnly; SameSite=Lax"
        return httpx2.Response(status, headers=headers, content=json.dumps(answer).encode())

    def answer(self, method: str, target: str, headers: httpx2.Headers, body: Any) -> Reply:  # noqa: ANN401
        """Answer as (status, JSON)."""
        path, _, query = target.partition("?")
        self.calls.append((method, path, body))
        if path == "/api/health":
            return 200, {"commit": "0", "database": "ok", "version": self.version}
        if path == "/login":
            return self._sign_in(body)
        try:
            call = self._call(headers, {key: values[0] for key, values in parse_qs(query).items()}, body)
            for wanted, pattern, kind, deed in self._routes:
                found = pattern.fullmatch(path)
                if wanted == method and found:
                    _allow(call, kind)
                    return deed(call, *map(unquote, found.groups()))
        except Refused as refused:
            return refused.reply
        return 404, {"message": "Not found"}

    def _call(self, headers: httpx2.Headers, query: dict[str, str], body: Any) -> TwinCall:  # noqa: ANN401
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        header = headers.get("X-Grafana-Org-Id", "")
        if scheme.lower() == "bearer":
            return self._token_call(value, header, query, body)
        session = headers.get("Cookie", "").partition("grafana_session=")[2]
        if session:
            user = self.users.get(self.sessions.get(session, 0))
            if user is None:
                message = "Unauthorized"
                raise Refused(401, message, messageId="session.token.notFound")
        else:
            login, _, password = base64.b64decode(value).decode().partition(":")
            user = self._login(login)
            if user is None or user.password != password:
                message = "Invalid username or password"
                raise Refused(401, message, messageId="password-auth.failed")
        # A header that is no number is ignored: the call is taken for the user's own organisation.
        organisation = self.organisations.get(int(header) if header.isdecimal() else user.home)
        role = organisation.roles.get(user.id, "") if organisation else ""
        member = self._is_member(organisation, user)
        return TwinCall(user, organisation, member, role or ("Admin" if member else ""), header, query, body)

    def _sign_in(self, body: Any) -> Reply:  # noqa: ANN401
        user = self._login(body["user"])
        if not self.offers_sessions or user is None or user.password != body["password"]:
            return 401, {"message": "Invalid username or password", "messageId": "password-auth.failed"}
        session = f"session{len(self.sessions)}"
        self.sessions[session] = user.id
        return 200, {"message": "Logged in", "session": session}

    def _rotate(self, call: TwinCall) -> Reply:
        session = f"session{len(self.sessions)}"
        self.sessions[session] = call.user.id if call.user else 0
        return 200, {"message": "token rotated", "session": session}

    def _token_call(self, key: str, header: str, query: dict[str, str], body: Any) -> TwinCall:  # noqa: ANN401
        for organisation in self.organisations.values():
            for token in organisation.tokens.values():
                if token["key"] == key:
                    if header.isdecimal() and int(header) != organisation.id:
                        message = "API key does not belong to the requested organization"
                        raise Refused(401, message, messageId="api-key.organization-mismatch")
                    service = organisation.services[token["account"]]
                    return TwinCall(
                        user=None, organisation=organisation, member=True, role=service["role"], header=header,
                        query=query, body=body,
                    )
        message = "Invalid API key"
        raise Refused(401, message, messageId="api-key.invalid")

    def _is_member(self, organisation: TwinOrganisation | None, user: TwinUser) -> bool:
        if organisation is None:
            return False
        return user.id in organisation.roles or self.clock() - organisation.left.get(user.id, -1e9) < CACHE_S

    def _table(self) -> Iterator[tuple[str, re.Pattern[str], str, Callable[..., Reply]]]:
        one, two = "([^/]+)", "([^/]+)/users/([^/]+)"
        lines: list[tuple[str, str, str, Callable[..., Reply]]] = [
            ("POST", "/api/orgs", "server", self._create_organisation),
            ("GET", "/api/orgs", "server", self._list_organisations),
            ("GET", f"/api/orgs/name/{one}", "server", self._organisation_named),
            ("GET", f"/api/orgs/{one}", "server", self._organisation),
            ("PUT", f"/api/orgs/{one}", "server", self._rename_organisation),
            ("PUT", f"/api/orgs/{one}/address", "server", self._address),
            ("DELETE", f"/api/orgs/{one}", "server", self._delete_organisation),
            ("GET", f"/api/orgs/{one}/users", "server", self._members),
            ("POST", f"/api/orgs/{one}/users", "server", self._add_member),
            ("PATCH", f"/api/orgs/{two}", "server", self._set_role),
            ("DELETE", f"/api/orgs/{two}", "server", self._remove_member),
            ("GET", "/api/user", "any", lambda call: (200, _user_json(call.user) if call.user else {})),
            ("GET", "/api/user/orgs", "any", lambda call: self._homes(call, str(call.user.id if call.user else 0))),
            ("POST", f"/api/user/using/{one}", "any", self._use_own),
            ("POST", "/api/user/auth-tokens/rotate", "any", self._rotate),
            ("GET", "/logout", "any", lambda _call: (200, {})),
            ("GET", "/api/org", "member", lambda call: (200, _organisation_json(call.here))),
            ("GET", "/api/search", "any", self.search),
            ("GET", "/api/datasources", "member", self.sources),
            ("POST", "/api/datasources", "admin", self.create_source),
            ("GET", f"/api/datasources/uid/{one}", "member", self.source),
            ("PUT", f"/api/datasources/uid/{one}", "admin", self.change_source),
            ("DELETE", f"/api/datasources/uid/{one}", "admin", self.delete_source),
            ("GET", f"/api/datasources/uid/{one}/health", "member", self.health),
            ("POST", "/api/folders", "admin", self.create_folder),
            ("GET", f"/api/folders/{one}", "member", self.folder),
            ("PUT", f"/api/folders/{one}", "admin", self.rename_folder),
            ("DELETE", f"/api/folders/{one}", "admin", self.delete_folder),
            ("GET", f"/api/folders/{one}/permissions", "admin", self.folder_rights),
            ("POST", f"/api/folders/{one}/permissions", "admin", self.set_folder_rights),
            ("GET", "/api/teams/search", "member", self.teams),
            ("POST", "/api/teams", "admin", self.create_team),
            ("GET", f"/api/teams/{one}", "member", self.team),
            ("PUT", f"/api/teams/{one}", "admin", self.change_team),
            ("DELETE", f"/api/teams/{one}", "admin", self.delete_team),
            ("GET", f"/api/teams/{one}/members", "member", self.team_members),
            ("POST", f"/api/teams/{one}/members", "admin", self.add_team_member),
            ("DELETE", f"/api/teams/{one}/members/{one}", "admin", self.remove_team_member),
            ("POST", "/api/dashboards/db", "admin", self.put_board),
            ("GET", f"/api/dashboards/uid/{one}", "member", self.board),
            ("GET", f"/api/dashboards/uid/{one}/versions", "member", self.board_versions),
            ("DELETE", f"/api/dashboards/uid/{one}", "admin", self.delete_board),
            ("GET", "/api/serviceaccounts/search", "admin", self.services),
            ("POST", "/api/serviceaccounts", "admin", self.create_service),
            ("PATCH", f"/api/serviceaccounts/{one}", "admin", self.change_service),
            ("DELETE", f"/api/serviceaccounts/{one}", "admin", self.delete_service),
            ("POST", f"/api/serviceaccounts/{one}/tokens", "admin", self.create_token),
            ("DELETE", f"/api/serviceaccounts/{one}/tokens/{one}", "admin", self.delete_token),
            ("GET", "/api/library-elements", "member", self.library),
            ("GET", "/api/v1/provisioning/alert-rules", "member", self.rules),
        ]
        for method, path, kind, deed in [*lines, *self._people(), *self.public_routes()]:
            yield method, re.compile(path), kind, deed

    def _people(self) -> list[tuple[str, str, str, Callable[..., Reply]]]:
        one = "([^/]+)"
        return [
            ("POST", "/api/admin/users", "users", self._create_user),
            ("DELETE", f"/api/admin/users/{one}", "users", self._delete_user),
            ("PUT", f"/api/admin/users/{one}/password", "users", self._set_password),
            ("GET", "/api/users/lookup", "users", self._lookup),
            ("GET", f"/api/users/{one}", "users", self._user),
            ("PUT", f"/api/users/{one}", "users", self._rename_user),
            ("GET", f"/api/users/{one}/orgs", "users", self._homes),
            ("POST", f"/api/users/{one}/using/{one}", "users", self._use),
        ]

    # The server

    def _login(self, login: str) -> TwinUser | None:
        same = login.lower()
        return next((one for one in self.users.values() if same in {one.login.lower(), one.email.lower()}), None)

    def login_of(self, user: int) -> str:
        """Return a user's login."""
        return self.users[user].login if user in self.users else ""

    def _org(self, number: str) -> TwinOrganisation:
        found = self.organisations.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise Refused(404, "Organization not found")
        return found

    def _create_organisation(self, call: TwinCall) -> Reply:
        name = call.body["name"]
        if not name:
            raise Refused(400, "bad request data")
        if any(one.name == name for one in self.organisations.values()):
            raise Refused(409, "Organization name taken")
        number = self.next_number()
        self.organisations[number] = TwinOrganisation(number, name, roles={call.user.id: "Admin"} if call.user else {})
        return 200, {"message": "Organization created", "orgId": number}

    def _list_organisations(self, call: TwinCall) -> Reply:
        size, page = int(call.query.get("perpage", "1000")), int(call.query.get("page", "0"))
        listed = sorted(self.organisations.values(), key=lambda one: one.name)[page * size : (page + 1) * size]
        return 200, [{"id": one.id, "name": one.name} for one in listed]

    def _organisation_named(self, _call: TwinCall, name: str) -> Reply:
        found = next((one for one in self.organisations.values() if one.name == name), None)
        if found is None:
            raise Refused(404, "Organization not found")
        return 200, _organisation_json(found)

    def _organisation(self, _call: TwinCall, number: str) -> Reply:
        return 200, _organisation_json(self._org(number))

    def _rename_organisation(self, call: TwinCall, number: str) -> Reply:
        one = self._org(number)
        if any(other.name == call.body["name"] and other is not one for other in self.organisations.values()):
            raise Refused(400, "Organization name taken")
        one.name = call.body["name"]
        return 200, {"message": "Organization updated"}

    def _address(self, call: TwinCall, number: str) -> Reply:
        one = self._org(number)
        one.address = call.body.get("address1") or one.address  # Nothing is kept for an empty text.
        return 200, {"message": "Address updated"}

    def _delete_organisation(self, call: TwinCall, number: str) -> Reply:
        one = self._org(number)
        if call.header == number or (call.user and call.user.home == one.id):
            raise Refused(400, "Can not delete org for current user")
        del self.organisations[one.id]
        return 200, {"message": "Organization deleted"}

    def _members(self, _call: TwinCall, number: str) -> Reply:
        organisation = self.organisations.get(int(number))
        roles = organisation.roles if organisation else {}
        return 200, [
            {"userId": key, "login": self.users[key].login, "role": role, "email": self.users[key].email}
            for key, role in roles.items()
        ]

    def _add_member(self, call: TwinCall, number: str) -> Reply:
        user = self._login(call.body["loginOrEmail"])
        if user is None:
            raise Refused(404, "User not found")
        if call.body["role"] not in _ROLES:
            raise Refused(400, "Invalid role specified")
        organisation = self.organisations.get(int(number))
        if organisation is None:
            raise Refused(500, "Could not add user to organization")
        if user.id in organisation.roles:
            return 409, {"message": "User is already member of this organization", "userId": user.id}
        organisation.roles[user.id] = call.body["role"]
        return 200, {"message": "User added to organization", "userId": user.id}

    def _set_role(self, call: TwinCall, number: str, user: str) -> Reply:
        self._org(number).roles[int(user)] = call.body["role"]
        return 200, {"message": "Organization user updated"}

    def _remove_member(self, _call: TwinCall, number: str, user: str) -> Reply:
        organisation, key = self._org(number), int(user)
        if key not in self.users:
            raise Refused(500, "Failed to remove user from organization")
        admins = [one for one, role in organisation.roles.items() if role == "Admin"]
        if admins == [key]:
            raise Refused(400, "Cannot remove last organization admin")
        if organisation.roles.pop(key, None) is not None:
            organisation.left[key] = self.clock()
            self.forget_user(organisation, key)
        return 200, {"message": "User removed from organization"}

    def _create_user(self, call: TwinCall) -> Reply:
        login, wanted = call.body["login"], int(call.body.get("OrgId") or 1)
        if len(call.body.get("password", "")) < _SHORTEST_PASSWORD:
            raise Refused(400, "Password is missing or too short")
        if self.auto_assign_org and wanted not in self.organisations:
            raise Refused(400, f"[org.notFound] failed to get organization with ID: {wanted}")
        if self._login(login):
            raise Refused(412, f"User with email '{login}' or username '{login}' already exists")
        name, email = call.body.get("name", ""), call.body.get("email", login)
        if not self.auto_assign_org and any(one.name == email for one in self.organisations.values()):
            raise Refused(500, "failed to create user")
        user = TwinUser(self.next_number(), login, name, call.body["password"], email)
        self.users[user.id] = user
        if self.auto_assign_org:
            self.organisations[wanted].roles[user.id] = "Viewer"
            user.home = wanted
        else:
            own = TwinOrganisation(self.next_number(), email, roles={user.id: "Admin"})
            self.organisations[own.id] = own
            user.home = own.id
        return 200, {"id": user.id, "message": "User created"}

    def _delete_user(self, _call: TwinCall, number: str) -> Reply:
        if self.users.pop(int(number), None) is None:
            raise Refused(404, "user not found")
        for one in self.organisations.values():
            one.roles.pop(int(number), None)
        return 200, {"message": "User deleted"}

    def _set_password(self, call: TwinCall, number: str) -> Reply:
        user = self.users.get(int(number))
        if user is None:
            raise Refused(404, "user not found")
        user.password = call.body["password"]
        return 200, {"message": "User password updated"}

    def _lookup(self, call: TwinCall) -> Reply:
        user = self._login(call.query["loginOrEmail"])
        return (200, _user_json(user)) if user else (404, {"message": "user not found"})

    def _user(self, _call: TwinCall, number: str) -> Reply:
        user = self.users.get(int(number)) if number.isdecimal() else None
        return (200, _user_json(user)) if user else (404, {"message": "user not found"})

    def _rename_user(self, call: TwinCall, number: str) -> Reply:
        user = self.users[int(number)]
        user.login, user.email, user.name = call.body["login"], call.body["email"], call.body["name"]
        return 200, {"message": "User updated"}

    def _homes(self, _call: TwinCall, number: str) -> Reply:
        return 200, [
            {"orgId": one.id, "name": one.name, "role": one.roles[int(number)]}
            for one in self.organisations.values() if int(number) in one.roles
        ]

    def _use_own(self, call: TwinCall, organisation: str) -> Reply:
        return self._use(call, str(call.user.id if call.user else 0), organisation)

    def _use(self, _call: TwinCall, number: str, organisation: str) -> Reply:
        user, one = self.users[int(number)], self.organisations.get(int(organisation))
        if one is None or user.id not in one.roles:
            raise Refused(401, "Not a valid organization")
        user.home = one.id
        return 200, {"message": "Active organization changed"}


def _allow(call: TwinCall, kind: str) -> None:
    """Let only those pass who may: `server` for its administrators, `admin` and `member` inside an organisation.

    `users` are calls about users: for server administrators whose current organisation is there.
    """
    if kind == "users" and call.organisation is None:
        raise Refused(403, "You'll need additional permissions to perform this action. Permissions needed: users:read")
    server_admin = call.user is not None and call.user.server_admin
    if kind in {"server", "users"} and not server_admin:
        raise Refused(403, "Permissions needed: orgs:read")
    if kind in {"admin", "member"} and not call.member:
        raise Refused(403, "Permissions needed: orgs:read")
    if kind == "admin" and call.role != "Admin":
        raise Refused(403, "Permissions needed: datasources:create")


def _organisation_json(one: TwinOrganisation) -> Json:
    return {"id": one.id, "name": one.name, "address": {"address1": one.address}}


def _user_json(user: TwinUser) -> Json:
    return {
        "id": user.id, "login": user.login, "email": user.email, "name": user.name, "orgId": user.home,
        "isExternal": bool(user.labels), "authLabels": user.labels,
    }
