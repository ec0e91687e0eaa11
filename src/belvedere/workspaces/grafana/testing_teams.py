"""The twin's teams, and what its folders allow, as a Grafana 11.0.0 treats them. For tests alone."""

from belvedere.workspaces.grafana.testing_content import Content, Json, Refused, Reply, TwinCall, TwinOrganisation


class TeamContent(Content):
    """Teams in organisations, and the deeds on them."""

    def login_of(self, user: int) -> str:
        """Return a user's login, which the server knows."""
        return str(user)

    def teams(self, call: TwinCall) -> Reply:
        """Find by the exact name."""
        name = call.query.get("name")
        found = [_shown(one) for one in call.here.teams.values() if name in {None, one["name"]}]
        return 200, {"totalCount": len(found), "teams": found}

    def team(self, call: TwinCall, number: str) -> Reply:
        """Read one."""
        return 200, _shown(self._team(call, number))

    def create_team(self, call: TwinCall) -> Reply:
        """Make one; who makes it is in it."""
        self._free(call, call.body["name"])
        number = self.next_number()
        people = [call.user.id] if call.user else []
        call.here.teams[number] = {"id": number, "name": call.body["name"], "email": call.body.get("email", ""),
                                   "people": people}
        return 200, {"message": "Team created", "teamId": number}

    def change_team(self, call: TwinCall, number: str) -> Reply:
        """Rename one."""
        team = self._team(call, number)
        if call.body["name"] != team["name"]:
            self._free(call, call.body["name"])
        team.update(name=call.body["name"], email=call.body.get("email", ""))
        return 200, {"message": "Team updated"}

    def delete_team(self, call: TwinCall, number: str) -> Reply:
        """Delete one, with what folders allowed it."""
        self._team(call, number)
        del call.here.teams[int(number)]
        for uid, listed in call.here.rights.items():
            call.here.rights[uid] = [one for one in listed if one.get("teamId") != int(number)]
        return 200, {"message": "Team deleted"}

    def team_members(self, call: TwinCall, number: str) -> Reply:
        """List who is in one; a team that is not there has nobody."""
        team = call.here.teams.get(int(number), {"people": []})
        return 200, [{"userId": one, "login": self.login_of(one)} for one in team["people"]]

    def add_team_member(self, call: TwinCall, number: str) -> Reply:
        """Put somebody in, once."""
        team, user = self._team(call, number), call.body["userId"]
        if user in team["people"]:
            raise Refused(400, "User is already added to this team")
        team["people"].append(user)
        return 200, {"message": "Member added to Team"}

    def remove_team_member(self, call: TwinCall, number: str, user: str) -> Reply:
        """Take somebody out."""
        team = self._team(call, number)
        if int(user) not in team["people"]:
            raise Refused(404, "Team member not found")
        team["people"].remove(int(user))
        return 200, {"message": "Team Member removed"}

    def folder_rights(self, call: TwinCall, uid: str) -> Reply:
        """List what a folder allows."""
        self.folder(call, uid)
        return 200, [{"teamId": 0, "userId": 0, "inherited": False, **one} for one in call.here.rights[uid]]

    def set_folder_rights(self, call: TwinCall, uid: str) -> Reply:
        """Replace all that a folder allows."""
        self.folder(call, uid)
        for one in call.body["items"]:
            if one.get("teamId") and one["teamId"] not in call.here.teams:
                raise Refused(500, "Failed to create permission")
        call.here.rights[uid] = [dict(one) for one in call.body["items"]]
        return 200, {"message": "Folder permissions updated"}

    def forget_user(self, here: TwinOrganisation, user: int) -> None:
        """Take somebody who left the organisation out of its teams and folders."""
        for team in here.teams.values():
            team["people"] = [one for one in team["people"] if one != user]
        for uid, listed in here.rights.items():
            here.rights[uid] = [one for one in listed if one.get("userId") != user]

    def _team(self, call: TwinCall, number: str) -> Json:
        if int(number) not in call.here.teams:
            raise Refused(404, "Team not found")
        return call.here.teams[int(number)]

    def _free(self, call: TwinCall, name: str) -> None:
        if any(one["name"] == name for one in call.here.teams.values()):
            raise Refused(409, "Team name taken")


def _shown(team: Json) -> Json:
    return {key: team[key] for key in ("id", "name", "email")}
