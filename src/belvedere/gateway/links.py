"""What workspaces say about people of the shared Grafana, kept as links of the gateway.

What is not here: the table and its rules (`identities.py`), and who is to be linked (`workspaces/grafana/shared`).
"""

from belvedere.gateway.identities import LinkedIdentities
from belvedere.identity.members.service import Members
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import NotFound


class MemberLinks:
    """Links made by Belvedere itself. A member's link ends with the membership, whatever Grafana does."""

    def __init__(self, *, identities: LinkedIdentities, members: Members) -> None:
        """Take what it needs."""
        self._identities = identities
        self._members = members

    def subjects(self, tenant: int) -> frozenset[str]:
        """Return the subjects that see a tenant's rows."""
        return frozenset(one.subject for one in self._identities.of_tenant(SYSTEM, tenant))

    def link(self, tenant: int, subject: str, *, member: str, login: str = "") -> None:
        """Let a subject see a tenant's rows; where `member` is one of the tenant's, as long as they belong there."""
        try:
            person = self._members.get(SYSTEM, tenant, member).id
        except NotFound:
            person = None
        self._identities.link(SYSTEM, subject, tenant, member=member, login=login, person=person)

    def unlink(self, tenant: int, subject: str) -> None:
        """Let a subject see a tenant's rows no more."""
        self._identities.unlink(SYSTEM, subject, tenant)
