"""What has to be done on an SFTPGo so that its users are as ours are. Pure.

Users without our mark are never touched, also where their name is wanted: that is told, and a person chooses.
"""

from collections.abc import Iterable, Mapping

from belvedere.intake.sftpgo.model import Deed, Seen, SftpGoStep, Wanted
from belvedere.intake.sftpgo.shape import digest_of, same_home, same_permissions
from belvedere.kernel.plan import Change, Plan, Sign, Step

SUBJECT = "SFTPGo"


def plan(wanted: Iterable[Wanted], seen: Iterable[Seen], installation: str, *, tenant: int | None = None) -> Plan[Deed]:
    """Compare users.

    Args:
        wanted: all users that should be.
        seen: all users that are.
        installation: our own number, as it stands in marks.
        tenant: look at this tenant's users alone; None for all, those of tenants that are gone included.
    """
    there = {one.name: one for one in seen}
    steps: list[SftpGoStep] = []
    kept: list[str] = []
    everybody = {one.name: one for one in wanted}
    desired = {name: one for name, one in everybody.items() if tenant is None or one.tenant == tenant}
    for name, one in sorted(desired.items()):
        found = there.get(name)
        if found is None:
            steps.append(Step(name, Sign.CREATE, "make user", name, Deed(name, one.tenant, one)))
        elif not is_ours(found, installation):
            kept.append(f"user {name}")
        elif changes := differences(one, found):
            steps.append(Step(name, Sign.CHANGE, "change user", name, Deed(name, one.tenant, one), changes))
    gone = [
        one for one in there.values()
        if one.mark is not None and is_ours(one, installation) and one.name not in everybody
        and (tenant is None or one.mark.tenant == tenant)
    ]  # fmt: skip
    for found in sorted(gone, key=lambda one: one.name):
        deed = Deed(found.name, found.mark.tenant if found.mark else 0)
        steps.append(Step(found.name, Sign.REMOVE, "remove user", found.name, deed))
    return Plan(SUBJECT, tuple(steps), tuple(kept))


def is_ours(seen: Seen, installation: str) -> bool:
    """Tell whether a user was made, or taken over, by this installation."""
    return seen.mark is not None and seen.mark.installation == installation


def differences(wanted: Wanted, seen: Seen) -> tuple[Change, ...]:
    """Return the fields in which a user of ours is not as it should be; no value of a password is in it."""
    mark, home = seen.mark, wanted.home
    granted: Mapping[str, tuple[str, ...]] = {"/": wanted.permissions}
    if wanted.adopted:  # It stays as it was, where that means the same.
        granted = seen.permissions if same_permissions(wanted, seen) else granted
        home = seen.home if same_home(wanted, seen) else home
    pairs = [
        ("state", _word(seen.enabled), _word(wanted.enabled)),
        ("home", seen.home if seen.local else f"{seen.home} (not a local folder)", home),
        ("permissions", _granted(seen.permissions), _granted(granted)),
        ("keys", _keys(seen.keys), _keys(wanted.keys)),
        ("quota, bytes", str(seen.quota_bytes), str(wanted.quota_bytes)),
        ("quota, files", str(seen.quota_files), str(wanted.quota_files)),
        ("tenant", str(mark.tenant if mark else ""), str(wanted.tenant)),
    ]
    found = [Change(field, old, new) for field, old, new in pairs if old != new]
    if _password_differs(wanted, seen):
        found.append(Change("password", "another" if seen.has_password else "none",
                            "ours" if wanted.password else "none"))
    return tuple(found)


def _password_differs(wanted: Wanted, seen: Seen) -> bool:
    if wanted.theirs:
        return False
    if wanted.password is None:
        return seen.has_password
    mark = seen.mark
    return mark is None or not seen.has_password or (
        (mark.password, mark.changed) != (digest_of(wanted.password), seen.password_changed)
    )


def _word(enabled: bool) -> str:  # noqa: FBT001  (a value, not a switch)
    return "enabled" if enabled else "disabled"


def _granted(permissions: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{place} {' '.join(sorted(words))}" for place, words in sorted(permissions.items()))


def _keys(lines: Iterable[str]) -> str:
    """Write keys so that people can tell them apart: their kind and the end of what comes after it."""
    return ", ".join(sorted(f"{line.split()[0]} ...{line[-16:]}" for line in lines if line.strip())) or "none"
