"""What `doctor` says of TimescaleDB on the tenants' server."""

from belvedere.stores.lockdown.postgres import prepared_timescale
from belvedere.stores.model import Server
from belvedere.stores.timescale import postgres
from belvedere.stores.timescale.plan import Standing, standing
from belvedere.stores.wire import connect, translated


def look(server: Server, wanted: str) -> Standing | None:
    """Ask the server; None where TimescaleDB has never been there. Raises Later: the server is away."""
    with translated(server), connect(server) as connection:
        return standing(
            postgres.offer(connection), prepared_timescale(connection, connection.info.user), wanted)
