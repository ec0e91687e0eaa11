"""Whether a part could listen where its settings say, and what to change where it could not."""

import errno
import socket
from dataclasses import dataclass

from belvedere.kernel.errors import BelvedereError, Conflict, Rejected
from belvedere.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Door:
    """An address that a part listens on, and the settings that hold it."""

    host: str
    port: int
    host_setting: str = "HOST"
    port_setting: str = "PORT"

    def refusal(self) -> BelvedereError | None:
        """Return why nobody could listen there now; None where somebody could.

        It is a Conflict where another program has it, Rejected where this machine has no such address, or the port
        needs more rights.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except PermissionError:
                message = f"Port {self.port} needs root."
                return Rejected(message, hint=f"{self.port_setting}={self.port + 8000} belvedere up", code="port")
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    message = f"Port {self.port} on {self.host} is taken by another program."
                    return Conflict(message, hint=f"{self.port_setting}={self.port + 1} belvedere up", code="port")
                why = (error.strerror or "it refuses").lower()
                message = f"This machine cannot listen on {self.host}:{self.port}: {why}."
                hint = f"set {self.host_setting} to 127.0.0.1 or to an address of this machine"
                return Rejected(message, hint=hint, code="host")
        return None

    def must_be_free(self) -> None:
        """Refuse to go on where nobody could listen there.

        Raises:
            Conflict: another program has it.
            Rejected: this machine has no such address, or the port needs more rights.
        """
        error = self.refusal()
        if error is not None:
            raise error


def gateway_door(settings: Settings) -> Door:
    """Return where the query gateway listens."""
    return Door(
        settings.gateway_host, settings.gateway_port, "BELVEDERE_GATEWAY_HOST", "BELVEDERE_GATEWAY_PORT"
    )


def sftp_door(settings: Settings) -> Door:
    """Return where the SFTP server listens."""
    return Door(settings.sftp_host, settings.sftp_port, "BELVEDERE_SFTP_HOST", "BELVEDERE_SFTP_PORT")
