"""The twin of Grafana 9.3.2, where it behaved otherwise than 11.0.0: seen on a real one.

What is not here: all that is the same (`testing.py`).
"""

import re
from typing import Any, Final

from belvedere.workspaces.grafana.testing import TwinGrafana
from belvedere.workspaces.grafana.testing_content import Json, Refused, Reply, TwinCall

_ROTATE: Final = "/api/user/auth-tokens/rotate"


class OldTwinGrafana(TwinGrafana):
    """Version 9.3.2.

    A service account's name is known in all organisations at once, also after its organisation is gone; the
    PostgreSQL plugin has its old name and no other; a data source's field `database` cannot be emptied; a session's
    cookie is not changed on demand; PostgreSQL has no check of health; a token's call goes to the token's organisation
    whatever the header says, and an ended token is an error of the server; public dashboards are off unless a toggle
    says otherwise.
    """

    public_dashboards = False

    def __init__(self) -> None:
        """Start as the present one does."""
        super().__init__(version="9.3.2")
        self.service_logins: dict[str, int] = {}
        self._routes = [one for one in self._routes if not one[1].fullmatch(_ROTATE)]
        self._routes.append(("POST", re.compile("/api/ds/query"), "member", self.query))

    def health(self, call: TwinCall, uid: str) -> Reply:
        """Know no check of PostgreSQL."""
        del call, uid
        return 404, {"message": "Not found"}

    def query(self, call: TwinCall) -> Reply:
        """Ask the database, by the settings of five seconds ago as the check of later versions does."""
        [asked] = call.body["queries"]
        status, body = super().health(call, asked["datasource"]["uid"])
        result = {} if status == 200 else {"error": f"db query error: {body['message']}", "status": 500}  # noqa: PLR2004
        return status, {"results": {asked["refId"]: result}}

    def create_service(self, call: TwinCall) -> Reply:
        """Make one; a taken name is 400, whoever has it or had it. The answer names no organisation."""
        name = call.body["name"]
        if f"sa-{name.lower()}" in self.service_logins:
            message = "Failed to create service account"
            raise Refused(400, message)
        _, made = super().create_service(call)
        made["login"] = f"sa-{name.lower()}"
        self.service_logins[made["login"]] = made["id"]
        return 201, {**made, "orgId": -1}

    def delete_service(self, call: TwinCall, number: str) -> Reply:
        """Delete one, with its name."""
        reply = super().delete_service(call, number)
        self.service_logins = {login: one for login, one in self.service_logins.items() if one != int(number)}
        return reply

    def create_token(self, call: TwinCall, number: str) -> Reply:
        """Make a token; a taken name is 409."""
        try:
            return super().create_token(call, number)
        except Refused as refused:
            _, body = refused.reply
            raise Refused(409, body["message"]) from refused

    def _token_call(self, key: str, header: str, query: dict[str, str], body: Any) -> TwinCall:  # noqa: ANN401
        del header
        try:
            return super()._token_call(key, "", query, body)
        except Refused as refused:
            message = "invalid API key"
            raise Refused(500, message) from refused

    def _keep_source(self, call: TwinCall, body: Json, there: Json, version: int) -> Json:
        made = super()._keep_source(call, body, there, version)
        made["type"] = body["type"]
        made["database"] = body.get("database") or there.get("database", "")
        return made
