"""What a command acts on when it runs on the installation's own machine: the services, and who asks.

Whoever can read the home's keys may do everything, so the person at the terminal acts as an admin under the
name of their login on this machine. What is not here: any command.
"""

import getpass
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.errors import Rejected, Stuck
from belvedere.kernel.ids import new_id
from belvedere.kernel.settings import Settings, load

if TYPE_CHECKING:
    from belvedere.app import Services


def actor() -> Actor:
    """Return the person at the terminal, as the history will name them."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return Actor(name=name, role=Role.ADMIN, door="cli", origin=socket.gethostname(), request_id=str(new_id()))


@contextmanager
def services(settings: Settings | None = None) -> "Generator[Services]":
    """Build the services of this home for one command, and give them back after it.

    Raises:
        Rejected: the home belongs to somebody else.
        Stuck: there is no installation yet, its embedded server does not run, or its schema is not this program's.
    """
    from belvedere.app import build
    from belvedere.kernel.control import EMBEDDED, control_url, source
    from belvedere.kernel.logging import bound, configure
    from belvedere.kernel.migrate import must_fit

    chosen = settings or load()
    if chosen.home_path.exists() and not os.access(chosen.home_path, os.W_OK | os.X_OK):
        message = f"The home {chosen.home_path} belongs to another user."
        raise Rejected(message, hint="run the command as that user, or set BELVEDERE_HOME", code="home-owner")
    control_url(chosen)
    if source(chosen) == EMBEDDED:
        from belvedere.kernel.running import running

        if not running(chosen):
            message = f"The installation in {chosen.home_path} does not run."
            raise Stuck(message, hint="belvedere up --detach", code="not-running")
    configure(chosen, part="cli", screen=False)
    built = build(chosen)
    try:
        must_fit(built.database)
        with bound(request_id=str(new_id())):
            yield built
    finally:
        built.close()
