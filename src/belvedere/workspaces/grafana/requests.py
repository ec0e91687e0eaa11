"""Every request that Belvedere may send to a Grafana, as data. Sending is `api.py`.

Paths and bodies are those of Grafana's HTTP API, `/api`, which 9.3 to 13 have alike: its descriptions of 10.4.3, 11.0.0
and 13.0.0 list all of them. `tests/contract/grafana_requests.py` holds the same list for the tests to compare.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct

Body = Mapping[str, Any]


class Request(Struct, frozen=True):
    """One call. `within` needs the organisation header; without it the call is the server's own business.

    `query` is put on the address; its values hold no secret.
    """

    method: str
    path: str
    body: Body | None = None
    query: tuple[tuple[str, str], ...] = ()
    within: bool = False


def _get(path: str, *query: tuple[str, str], within: bool = False) -> Request:
    return Request("GET", path, query=query, within=within)


def _named(text: str) -> str:
    return quote(text, safe="")


# Signing in


def sign_in(user: str, password: str) -> Request:
    """Ask for a session. The body holds a password."""
    return Request("POST", "/login", {"user": user, "password": password})


def rotate_session() -> Request:
    """Ask for a session's next cookie."""
    return Request("POST", "/api/user/auth-tokens/rotate")


def sign_out() -> Request:
    """End a session."""
    return _get("/logout")


# The server itself, for its administrator only


def health() -> Request:
    """Ask for the version; needs no login."""
    return _get("/api/health")


def frontend_settings() -> Request:
    """Read what Grafana tells its own pages, with the toggles that are on. It is in no description of the API."""
    return _get("/api/frontend/settings")


def organisation(number: int) -> Request:
    """Read an organisation by number, whether or not the administrator is a member."""
    return _get(f"/api/orgs/{number}")


def organisation_named(name: str) -> Request:
    """Read an organisation by its exact name."""
    return _get(f"/api/orgs/name/{_named(name)}")


def organisations(page: int) -> Request:
    """List organisations, a thousand a page, the first page being 0."""
    return _get("/api/orgs", ("perpage", "1000"), ("page", str(page)))


def create_organisation(name: str) -> Request:
    """Make an organisation; the caller becomes its Admin."""
    return Request("POST", "/api/orgs", {"name": name})


def rename_organisation(number: int, name: str) -> Request:
    """Give an organisation another name."""
    return Request("PUT", f"/api/orgs/{number}", {"name": name})


def mark_organisation(number: int, mark: str) -> Request:
    """Write whose an organisation is into the first line of its address, which nothing else uses."""
    return Request("PUT", f"/api/orgs/{number}/address", {"address1": mark})


def delete_organisation(number: int) -> Request:
    """Delete an organisation. Sent without the header: Grafana refuses to delete the organisation of the request."""
    return Request("DELETE", f"/api/orgs/{number}")


def organisation_users(number: int) -> Request:
    """List who is in an organisation."""
    return _get(f"/api/orgs/{number}/users")


def add_organisation_user(number: int, login: str, role: str) -> Request:
    """Put an existing user into an organisation."""
    return Request("POST", f"/api/orgs/{number}/users", {"loginOrEmail": login, "role": role})


def set_organisation_role(number: int, user: int, role: str) -> Request:
    """Change what a user may do in an organisation."""
    return Request("PATCH", f"/api/orgs/{number}/users/{user}", {"role": role})


def remove_organisation_user(number: int, user: int) -> Request:
    """Take a user out of an organisation."""
    return Request("DELETE", f"/api/orgs/{number}/users/{user}")


def user_named(login: str) -> Request:
    """Find a user by login or e-mail."""
    return _get("/api/users/lookup", ("loginOrEmail", login))


def user(number: int) -> Request:
    """Read a user."""
    return _get(f"/api/users/{number}")


def user_organisations(number: int) -> Request:
    """List the organisations of a user."""
    return _get(f"/api/users/{number}/orgs")


def use_organisation(user_number: int, number: int) -> Request:
    """Choose where a user lands after signing in."""
    return Request("POST", f"/api/users/{user_number}/using/{number}")


def current_user() -> Request:
    """Ask who the login is and which organisation is its current one."""
    return _get("/api/user")


def own_organisations() -> Request:
    """List the organisations that the login is a member of; allowed even when its current one is gone."""
    return _get("/api/user/orgs")


def use_own(number: int) -> Request:
    """Make an organisation the login's own current one."""
    return Request("POST", f"/api/user/using/{number}")


def create_user(login: str, name: str, password: str, number: int) -> Request:
    """Make a user in an organisation. The body holds a password."""
    return Request("POST", "/api/admin/users", {"login": login, "name": name, "password": password, "OrgId": number})


def create_member(login: str, email: str, name: str, password: str, number: int) -> Request:
    """Make a user with an address, for a person. The body holds a password."""
    body = {"login": login, "email": email, "name": name, "password": password, "OrgId": number}
    return Request("POST", "/api/admin/users", body)


def set_password(user_number: int, password: str) -> Request:
    """Give a user another password."""
    return Request("PUT", f"/api/admin/users/{user_number}/password", {"password": password})


def delete_user(number: int) -> Request:
    """Delete a user."""
    return Request("DELETE", f"/api/admin/users/{number}")


# Inside one organisation


def current_organisation() -> Request:
    """Ask which organisation a call is taken for: the proof that the header arrived."""
    return _get("/api/org", within=True)


def sources() -> Request:
    """List the data sources."""
    return _get("/api/datasources", within=True)


def source(uid: str) -> Request:
    """Read a data source; secrets do not come back."""
    return _get(f"/api/datasources/uid/{_named(uid)}", within=True)


def create_source(body: Body) -> Request:
    """Make a data source. The body holds a password."""
    return Request("POST", "/api/datasources", body, within=True)


def change_source(uid: str, body: Body) -> Request:
    """Replace a data source; send the version that was read, the uid and `isDefault`, or Grafana changes them."""
    return Request("PUT", f"/api/datasources/uid/{_named(uid)}", body, within=True)


def delete_source(uid: str) -> Request:
    """Delete a data source."""
    return Request("DELETE", f"/api/datasources/uid/{_named(uid)}", within=True)


def source_health(uid: str) -> Request:
    """Ask a data source whether its database answers. Grafana keeps its settings for 5 s: wait after a change."""
    return _get(f"/api/datasources/uid/{_named(uid)}/health", within=True)


def ask_source(uid: str, text: str) -> Request:
    """Send SQL through a data source, as its login."""
    asked = {"refId": "A", "datasource": {"uid": uid}, "rawSql": text, "format": "table"}
    return Request("POST", "/api/ds/query", {"from": "now-1h", "to": "now", "queries": [asked]}, within=True)


def plugin(name: str) -> Request:
    """Ask whether a plugin is installed."""
    return _get(f"/api/plugins/{_named(name)}/settings", within=True)


def search() -> Request:
    """List folders and dashboards, at most 5,000."""
    return _get("/api/search", ("limit", "5000"), within=True)


def search_folder(uid: str) -> Request:
    """List what stands in a folder, at most 5,000; versions before 10 list all, so compare the folder."""
    return _get("/api/search", ("limit", "5000"), ("folderUIDs", uid), within=True)


def folder(uid: str) -> Request:
    """Read a folder with its version."""
    return _get(f"/api/folders/{_named(uid)}", within=True)


def create_folder(uid: str, title: str) -> Request:
    """Make a folder at the top."""
    return Request("POST", "/api/folders", {"uid": uid, "title": title}, within=True)


def rename_folder(uid: str, title: str, version: int) -> Request:
    """Give a folder another title."""
    return Request("PUT", f"/api/folders/{_named(uid)}", {"title": title, "version": version}, within=True)


def delete_folder(uid: str) -> Request:
    """Delete a folder with everything in it."""
    return Request("DELETE", f"/api/folders/{_named(uid)}", within=True)


def folder_rights(uid: str) -> Request:
    """List who may do what in a folder."""
    return _get(f"/api/folders/{_named(uid)}/permissions", within=True)


def set_folder_rights(uid: str, items: Sequence[Body]) -> Request:
    """Replace all that is allowed in a folder; administrators of the organisation keep their access by role."""
    return Request("POST", f"/api/folders/{_named(uid)}/permissions", {"items": list(items)}, within=True)


def team(number: int) -> Request:
    """Read a team."""
    return _get(f"/api/teams/{number}", within=True)


def teams_named(name: str) -> Request:
    """Find a team by its exact name."""
    return _get("/api/teams/search", ("name", name), ("perpage", "1000"), within=True)


def create_team(name: str, email: str) -> Request:
    """Make a team; the caller becomes its member. `email` is our mark: Grafana takes any text and writes to nobody."""
    return Request("POST", "/api/teams", {"name": name, "email": email}, within=True)


def change_team(number: int, name: str, email: str) -> Request:
    """Give a team another name."""
    return Request("PUT", f"/api/teams/{number}", {"name": name, "email": email}, within=True)


def delete_team(number: int) -> Request:
    """Delete a team; what folders allowed it goes with it."""
    return Request("DELETE", f"/api/teams/{number}", within=True)


def team_members(number: int) -> Request:
    """List who is in a team; a team that is not there has nobody."""
    return _get(f"/api/teams/{number}/members", within=True)


def add_team_member(number: int, user: int) -> Request:
    """Put a user into a team; 400 when it is in already."""
    return Request("POST", f"/api/teams/{number}/members", {"userId": user}, within=True)


def remove_team_member(number: int, user: int) -> Request:
    """Take a user out of a team."""
    return Request("DELETE", f"/api/teams/{number}/members/{user}", within=True)


def board(uid: str) -> Request:
    """Read a dashboard with its version and folder."""
    return _get(f"/api/dashboards/uid/{_named(uid)}", within=True)


def newest_version(uid: str) -> Request:
    """Read the newest version of a dashboard, with its document: half of the work that `board` is to Grafana."""
    return _get(f"/api/dashboards/uid/{_named(uid)}/versions?limit=1", within=True)


def put_board(document: Body, folder_uid: str, message: str) -> Request:
    """Write a dashboard, never over a version that was not read and never over another of the same title."""
    body = {"dashboard": document, "folderUid": folder_uid, "message": message, "overwrite": False}
    return Request("POST", "/api/dashboards/db", body, within=True)


def delete_board(uid: str) -> Request:
    """Delete a dashboard."""
    return Request("DELETE", f"/api/dashboards/uid/{_named(uid)}", within=True)


def publish_board(uid: str, public: str) -> Request:
    """Make a dashboard public under a uid of ours: only as it stands, for nobody to choose another time."""
    body = {"uid": public, "isEnabled": True, "annotationsEnabled": False, "timeSelectionEnabled": False}
    return Request("POST", f"/api/dashboards/uid/{_named(uid)}/public-dashboards", body, within=True)


def public_page(uid: str) -> Request:
    """Read what is public of a dashboard."""
    return _get(f"/api/dashboards/uid/{_named(uid)}/public-dashboards", within=True)


def unpublish_board(uid: str, public: str) -> Request:
    """Make a dashboard private again."""
    return Request("DELETE", f"/api/dashboards/uid/{_named(uid)}/public-dashboards/{_named(public)}", within=True)


def all_teams() -> Request:
    """List teams, at most a thousand."""
    return _get("/api/teams/search", ("perpage", "1000"), ("page", "1"), within=True)


def mark_team(number: int, name: str, mark: str) -> Request:
    """Write whose a team is into its e-mail address, which Grafana sends nothing to."""
    return Request("PUT", f"/api/teams/{number}", {"name": name, "email": mark}, within=True)


def library() -> Request:
    """List library panels, at most 100: only whether there are any counts."""
    return _get("/api/library-elements", ("perPage", "100"), within=True)


def alert_rules() -> Request:
    """List alert rules; 404 where alerting is off."""
    return _get("/api/v1/provisioning/alert-rules", within=True)


def service_accounts(name: str = "") -> Request:
    """List service accounts, all or those whose name or login holds a text."""
    named = (("query", name),) if name else ()
    return _get("/api/serviceaccounts/search", ("perpage", "1000"), *named, within=True)


def create_service_account(name: str, role: str) -> Request:
    """Make a service account."""
    return Request("POST", "/api/serviceaccounts", {"name": name, "role": role}, within=True)


def change_service_account(number: int, name: str, role: str) -> Request:
    """Give a service account its role back, and enable it."""
    body = {"name": name, "role": role, "isDisabled": False}
    return Request("PATCH", f"/api/serviceaccounts/{number}", body, within=True)


def delete_service_account(number: int) -> Request:
    """Delete a service account with its tokens."""
    return Request("DELETE", f"/api/serviceaccounts/{number}", within=True)


def create_token(account: int, name: str, seconds: int) -> Request:
    """Make a token that ends by itself; its name must be unique in the organisation."""
    path = f"/api/serviceaccounts/{account}/tokens"
    return Request("POST", path, {"name": name, "secondsToLive": seconds}, within=True)


def delete_token(account: int, number: int) -> Request:
    """End a token now."""
    return Request("DELETE", f"/api/serviceaccounts/{account}/tokens/{number}", within=True)
