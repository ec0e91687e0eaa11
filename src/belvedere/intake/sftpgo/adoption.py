"""Taking over users that an SFTPGo had first: made by hand or by a script, with a home in a tenant's folder.

One that is taken over keeps its home, password, keys, permissions and limits; it only gets our mark, in front of what
stands in its additional information, and a row here. It is kept in step from then on. The row comes first: a user with
our mark and no row would be removed. Everything else that an SFTPGo has is looked at and let be.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from belvedere.audit.model import History
from belvedere.intake.sftp.keys import parse
from belvedere.intake.sftp.model import Adopted, Known, User
from belvedere.intake.sftp.service import MOST_KEYS, SftpUsers
from belvedere.intake.sftpgo.model import Candidate, Outcome, Seen
from belvedere.intake.sftpgo.service import SftpGoUsers
from belvedere.intake.sftpgo.shape import body_of, meaning, wanted_of
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import BelvedereError, Conflict, Rejected
from belvedere.kernel.failpoints import failpoint
from belvedere.tenants.model import Tenant

_ANOTHER: Final = "Another Belvedere keeps it."


class SftpGoAdoption:
    """What an SFTPGo has for tenants besides what we made there."""

    def __init__(self, *, history: History, users: SftpUsers, kept: SftpGoUsers) -> None:
        """Take what it needs; `kept` are the users that are kept in step already."""
        self._history = history
        self._users = users
        self._kept = kept

    def look(self, actor: Actor, tenant: int | None = None, name: str = "") -> list[Candidate]:
        """Return the users that could be taken over, or why not: of one tenant or all, or the one of a name.

        Raises:
            Rejected: no SFTPGo is set.
            Later: it does not answer.
        """
        actor.must(Role.OPERATOR)
        known = {one.user.name: one.user for one in self._users.everybody()}
        homes: dict[str, Tenant | None] = {}
        found = [
            _candidate(seen, self._kept.root, self._of(seen, homes), known.get(seen.name), self._kept.installation())
            for seen in self._kept.reached().users() if self._is_below(seen) and name in {"", seen.name}
        ]  # fmt: skip
        return [one for one in found if one is not None and (tenant is None or one.tenant == tenant)]

    def take(self, actor: Actor, tenant: int | None = None, name: str = "") -> list[Candidate]:
        """Take over what can be, and return all with what became of it. Again does nothing.

        Raises:
            Rejected: as for `look`; one that is refused keeps nobody else waiting.
        """
        with self._history.action(actor, "sftpgo.adopt", name or "SFTPGo", tenant=tenant) as ending:
            done = [
                one if one.outcome is Outcome.REFUSED else self._taken(actor, one)
                for one in self.look(actor, tenant, name)
            ]
            ending.note(taken=sum(one.taken for one in done))
        return done

    def _taken(self, actor: Actor, one: Candidate) -> Candidate:
        try:
            with self._history.action(actor, "sftpgo.adopt-user", one.name, tenant=one.tenant, home=one.home):
                self._take(actor, one)
        except Rejected as error:
            return replace(one, outcome=Outcome.REFUSED, why=error.detail, hint=error.hint or "")
        return replace(one, taken=True)

    def _take(self, actor: Actor, one: Candidate) -> None:
        server, installation = self._kept.reached(), self._kept.installation()
        if one.outcome is Outcome.ADOPT:
            self._users.adopt(actor, one.tenant, Adopted(
                one.name, one.folder, one.permissions, tuple(parse(line) for line in one.keys), one.quota_bytes,
                one.quota_files, has_password=one.has_password, enabled=one.enabled,
            ))  # fmt: skip
        failpoint("intake.sftpgo.adopted")
        seen = server.user(one.name)
        known = next((known for known in self._users.everybody() if known.user.name == one.name), None)
        if seen is None or seen.mark is not None or known is None:
            message = f"SFTPGo's user {one.name} is another one meanwhile."
            raise Conflict(message, code="sftpgo-changed")
        if not server.change(one.name, self._marked(known, seen, installation), disconnect=False):
            message = f"SFTPGo's user {one.name} went while it was taken over."
            raise Conflict(message, code="sftpgo-changed")

    def _marked(self, known: Known, seen: Seen, installation: str) -> Mapping[str, object]:
        """Return the user as SFTPGo has it, with our mark and nothing else."""
        mark = body_of(wanted_of(known, self._kept.root), installation, seen)["additional_info"]
        return dict(seen.whole) | {"additional_info": mark}

    def _is_below(self, seen: Seen) -> bool:
        return seen.local and _parts(seen.home, self._kept.root) != []

    def _of(self, seen: Seen, homes: dict[str, Tenant | None]) -> Tenant | None:
        """Find the tenant of a home by the name of its folder."""
        name = _parts(seen.home, self._kept.root)[0]
        if name not in homes:
            homes[name] = self._users.tenant_named(name)
        return homes[name]


def _candidate(seen: Seen, root: str, tenant: Tenant | None, ours: User | None, installation: str) -> Candidate | None:
    """Say what becomes of a user; None for one that is kept by us already."""
    if seen.mark is not None and seen.mark.installation == installation:
        return None
    parts = _parts(seen.home, root)
    base = Candidate(
        Outcome.REFUSED, seen.name, parts[0], seen.home, folder="/".join(parts[1:]), keys=seen.keys,
        permissions=meaning(seen.permissions), has_password=seen.has_password, quota_bytes=seen.quota_bytes,
        quota_files=seen.quota_files, enabled=seen.enabled,
    )
    why, hint = _trouble(seen, tenant, ours, base)
    if why or tenant is None:
        return replace(base, tenant=tenant.serial if tenant else 0, why=why, hint=hint)
    return replace(base, tenant=tenant.serial, outcome=Outcome.FINISH if ours is not None else Outcome.ADOPT)


def _trouble(seen: Seen, tenant: Tenant | None, ours: User | None, found: Candidate) -> tuple[str, str]:
    """Say what stands in the way of taking a user over, and what to do about it; empty where nothing does."""
    wrong = _wrong_key(found.keys)
    if seen.mark is not None:
        said = _ANOTHER, ""
    elif tenant is None:
        said = f"No tenant is called {found.tenant_name}.", f"belvedere tenant create {found.tenant_name}"
    elif tenant.deleting:
        said = f"{tenant.name} is on its way out.", ""
    elif ours is not None and (ours.source, ours.tenant) != ("sftpgo", tenant.serial):
        hint = f"belvedere sftp user remove {ours.tenant_name} {ours.name}, or rename SFTPGo's"
        said = "An SFTP user of Belvedere's bears the name.", hint
    elif not found.permissions:
        said = "It may do nothing that Belvedere has a word for.", "Give it some permission in SFTPGo."
    elif len(found.keys) > MOST_KEYS:
        said = f"It has {len(found.keys)} keys; at most {MOST_KEYS} are kept.", "Remove some in SFTPGo."
    else:
        said = wrong, "Replace that key in SFTPGo." if wrong else ""
    return said


def _wrong_key(lines: Iterable[str]) -> str:
    for line in lines:
        try:
            parse(line)
        except BelvedereError as error:
            return error.detail
    return ""


def _parts(home: str, root: str) -> list[str]:
    """Return the parts of a home below the root; none where it is elsewhere, or the root itself."""
    place, top = posixpath.normpath(home), posixpath.normpath(root).rstrip("/")
    return [one for one in place[len(top) :].split("/") if one] if place.startswith(f"{top}/") else []
