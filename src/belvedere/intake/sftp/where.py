"""Where senders find the SFTP server, and the command that signs in there. Pure."""

import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

from belvedere.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Where:
    """Host and port as senders write them."""

    host: str
    port: int

    def command(self, user: str, key: str = "") -> str:
        """Return what a person types to sign in; `key` is the file of a private key."""
        words = ["sftp", "-P", str(self.port), *(["-i", key] if key else []), f"{user}@{self.host}"]
        return shlex.join(words)


def where(settings: Settings, host: str = "") -> Where:
    """Return where the server is: as set, else on `host`, else on the host of the portal's address."""
    given = settings.sftp_address or host or urlsplit(settings.url).hostname or settings.sftp_host
    before, _, port = given.rpartition(":")
    if before and port.isdigit() and (":" not in before or before.startswith("[")):
        return Where(before.strip("[]"), int(port))
    return Where(given.strip("[]"), settings.sftp_port)
