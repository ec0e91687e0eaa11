"""Whether an InfluxDB lets every tenant who may ask it reach the servers beside it.

Flux can call HTTP addresses and SQL servers. `influxd --hardening-enabled` closes that for addresses of private
networks: the answer is then "no such host" (seen on 2.7.8). What is not here: saying it to people (`node/doctor.py`).
"""

import socket
from typing import Final

from belvedere.stores.influx.api import Influx, InfluxAway

_CLOSED: Final = "no such host"
_QUESTION: Final = """import "array"
import "http/requests"
answer = requests.get(url: "http://ADDRESS/")
array.from(rows: [{status: answer.statusCode}])"""


def reaches_others(influx: Influx) -> bool:
    """Tell whether Flux reaches a local address: it is asked to call one at which nobody answers.

    Raises:
        Later: InfluxDB is away.
    """
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        # It does not listen: on this host a call is refused at once, and reaches nobody else's program.
        address = f"127.0.0.1:{ours.getsockname()[1]}"
        try:
            _, answer = influx.query(_QUESTION.replace("ADDRESS", address))
        except InfluxAway as error:
            # It tried, and tells so as a fault of its own (500).
            if f"dial tcp {address}" not in error.detail:
                raise
            return True
    return _CLOSED not in answer
