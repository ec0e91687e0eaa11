"""Where the control database of this home is: written at init by `node/database.py`, read by every process.

The file `keys/control.json` holds the URL of the provisioning role, whose password was generated at init, so that the
server's superuser is used then and never again. What is not here: making any of it.
"""

from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from belvedere.kernel.errors import Stuck
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings

EMBEDDED: Final = "embedded"
"""The source of a home whose PostgreSQL runs under our own supervisor."""


class Control(msgspec.Struct, frozen=True):
    """What is kept about the control database: never printed, and only in a file of mode 0600."""

    source: str
    url: str
    prepared_by: str = ""


def control_file(settings: Settings) -> Path:
    """Return the path of the file that holds the provisioning role's URL."""
    return settings.path("keys/control.json")


def given_url(settings: Settings) -> Secret | None:
    """Return the URL that the settings name, or None when the embedded server is to be used."""
    if settings.database_url:
        return settings.database_url
    if not settings.master_db_host:
        return None
    login = quote(settings.master_db_user, safe="")
    if settings.master_db_pass:
        login += ":" + quote(settings.master_db_pass.reveal(), safe="")
    name = quote(settings.master_db_name, safe="")
    return Secret(f"postgresql://{login}@{settings.master_db_host}:{settings.master_db_port}/{name}")


def source(settings: Settings) -> str:
    """Name the server and database that the settings mean, without login or password."""
    given = given_url(settings)
    if given is None:
        return EMBEDDED
    parts = urlsplit(given.reveal())
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def read_control(settings: Settings) -> Control | None:
    """Return what init wrote for the server that the settings mean, or None when it has not run for it."""
    try:
        kept = msgspec.json.decode(control_file(settings).read_bytes(), type=Control)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return kept if kept.source == source(settings) else None


def control_url(settings: Settings) -> Secret:
    """Return the URL by which this process reaches the control database.

    A URL in the settings is taken as it stands when init has not run for it: that is how tests and one-off tools work.

    Raises:
        Stuck: there is none yet.
    """
    kept = read_control(settings)
    if kept is not None:
        return Secret(kept.url)
    given = given_url(settings)
    if given is None:
        message = f"There is no installation in {settings.home_path} yet."
        raise Stuck(message, hint="belvedere up", code="no-installation")
    return given
