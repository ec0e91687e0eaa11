"""The SFTP part: one process that takes tenants' files over SSH, until it is told to stop.

What is not here: the server (`intake/sftp/`).
"""

import asyncio
import signal

from belvedere.app import Services, build
from belvedere.intake.sftp import hostkeys
from belvedere.intake.sftp.server import Options, Server
from belvedere.kernel.errors import Stuck
from belvedere.kernel.settings import Settings


def options_of(settings: Settings) -> Options:
    """Read how the server is run from the settings, and make its keys where they are missing.

    Raises:
        Stuck: the keys cannot be made, or others may read them.
    """
    try:
        keys = hostkeys.provide(settings.home_path)
    except OSError as error:
        message = f"The keys of the SFTP server cannot be used: {error}."
        raise Stuck(message, hint=f"look into {settings.home_path}/sftp", code="host-keys") from None
    return Options(
        root=settings.path(settings.data_root), host=settings.sftp_host, port=settings.sftp_port,
        host_keys=tuple(keys), idle_s=settings.sftp_idle_s, most_per_user=settings.sftp_sessions_per_user,
        most_per_origin=settings.sftp_sessions_per_address, flush=settings.sftp_flush,
    )


def serve(settings: Settings) -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C."""
    services = build(settings)
    try:
        asyncio.run(_serve(settings, services))
    finally:
        services.close()


async def _serve(settings: Settings, services: Services) -> None:
    server = Server(options_of(settings), services.sftp_sessions, services.intake.notice_all)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await server.start()
    await told.wait()
    await server.stop()
