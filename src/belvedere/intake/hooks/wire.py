"""The settings of the hook doors, as their parts take them."""

from typing import Final

from belvedere.audit.model import History
from belvedere.credentials import derived
from belvedere.credentials.keys import source_of
from belvedere.intake.hooks.homes import UserHomes
from belvedere.intake.hooks.service import Hooks, Noticing
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings

_PURPOSE: Final = b"belvedere hook, header of SFTPGo"


def hooks_of(settings: Settings, *, database: Database, history: History, intake: Noticing) -> Hooks:
    """Make the rules of the hook doors."""
    return Hooks(
        intake=intake, homes=UserHomes(database), history=history, secrets=secrets_of(settings),
        roots=roots_of(settings),
    )


def secrets_of(settings: Settings) -> list[Secret]:
    """Return what SFTPGo proves itself with: what is set, or what is derived from the sealing keys."""
    return derived.secrets_of(settings.hook_secret, source_of(settings), _PURPOSE)


def roots_of(settings: Settings) -> tuple[str, ...]:
    """Return the names of the folder of tenants' folders: as SFTPGo sees it, as it is set here, without links."""
    ours = settings.path(settings.data_root)
    return tuple(dict.fromkeys(name for name in (settings.sftpgo_root, str(ours), str(ours.resolve())) if name))
