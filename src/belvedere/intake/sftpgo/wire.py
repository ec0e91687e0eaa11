"""The settings of an SFTPGo, as its parts take them."""

from belvedere.audit.model import History
from belvedere.intake.sftpgo.api import SftpGo
from belvedere.intake.sftpgo.service import SftpGoUsers, Users
from belvedere.jobs.model import Queue
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings


def users_of(settings: Settings, *, database: Database, history: History, queue: Queue, users: Users) -> SftpGoUsers:
    """Make what keeps the users of the SFTPGo that is set, if one is."""
    server = None
    if settings.sftpgo_url:
        server = SftpGo(
            settings.sftpgo_url, settings.sftpgo_user, settings.sftpgo_password, ca_file=settings.sftpgo_ca_file
        )
    return SftpGoUsers(
        database=database, history=history, queue=queue, users=users, server=server,
        root=settings.sftpgo_root or str(settings.path(settings.data_root)),
    )
