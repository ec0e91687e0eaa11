"""The twin's public dashboards, as a Grafana 11.0.0 treats them. For tests alone."""

from collections.abc import Callable

from belvedere.workspaces.grafana.testing_content import Json, Refused, Reply, TwinCall
from belvedere.workspaces.grafana.testing_teams import TeamContent

_WORD = "publicdashboards"


class PublicContent(TeamContent):
    """Dashboards that everybody sees who knows the address. `public_dashboards` switches the feature."""

    public_dashboards = True

    def public_routes(self) -> list[tuple[str, str, str, Callable[..., Reply]]]:
        """Return the rows of the table; none where the feature is off."""
        if not self.public_dashboards:
            return []
        pages = "/api/dashboards/uid/([^/]+)/public-dashboards"
        return [
            ("GET", "/api/dashboards/public-dashboards", "admin", self.list_public),
            ("GET", pages, "admin", self.public),
            ("POST", pages, "admin", self.publish),
            ("DELETE", f"{pages}/([^/]+)", "admin", self.unpublish),
        ]

    def list_public(self, call: TwinCall) -> Reply:
        """List those of dashboards that are there: with a dashboard its page goes."""
        return 200, {"publicDashboards": [one for key, one in call.here.public.items() if key in call.here.boards]}

    def public(self, call: TwinCall, uid: str) -> Reply:
        """Read one."""
        return 200, self._public(call, uid)

    def publish(self, call: TwinCall, uid: str) -> Reply:
        """Make one, under the uid that was asked for."""
        here = call.here
        if uid not in here.boards:
            raise Refused(404, "Dashboard not found", messageId=f"{_WORD}.dashboardNotFound")
        if uid in here.public:
            raise Refused(400, "Dashboard is already public", messageId=f"{_WORD}.dashboardIsPublic")
        token = f"{self.next_number():032x}"
        here.public[uid] = {**call.body, "dashboardUid": uid, "accessToken": token}
        return 200, here.public[uid]

    def unpublish(self, call: TwinCall, uid: str, public: str) -> Reply:
        """Make private."""
        if self._public(call, uid)["uid"] != public:
            raise Refused(404, "Public dashboard not found", messageId=f"{_WORD}.notFound")
        del call.here.public[uid]
        return 200, None

    def _public(self, call: TwinCall, uid: str) -> Json:
        if uid not in call.here.public or uid not in call.here.boards:
            raise Refused(404, "Public dashboard not found", messageId=f"{_WORD}.notFound")
        return call.here.public[uid]
