"""The settings of the hook doors, as their parts take them."""

from belvedere.kernel.settings import Settings


def roots_of(settings: Settings) -> tuple[str, ...]:
    """Return the names of the folder of tenants' folders: as SFTPGo sees it, as it is set here, without links."""
    ours = settings.path(settings.data_root)
    return tuple(dict.fromkeys(name for name in (settings.sftpgo_root, str(ours), str(ours.resolve())) if name))
