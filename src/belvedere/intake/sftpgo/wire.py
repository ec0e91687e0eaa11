"""The settings of an SFTPGo, as its parts take them."""

from belvedere.intake.sftpgo.api import SftpGo
from belvedere.kernel.settings import Settings


def server_of(settings: Settings) -> SftpGo | None:
    """Make the client of the SFTPGo that is set; None where none is."""
    if not settings.sftpgo_url:
        return None
    return SftpGo(
        settings.sftpgo_url, settings.sftpgo_user, settings.sftpgo_password, ca_file=settings.sftpgo_ca_file
    )


def root_of(settings: Settings) -> str:
    """Return the folder of tenants' folders as SFTPGo sees it."""
    return settings.sftpgo_root or str(settings.path(settings.data_root))
