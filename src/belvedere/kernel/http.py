"""Outgoing HTTP: one way to make a client, so that every outside call has a time-out.

What is not here: retries and the meaning of an answer; each vendor's adapter translates those
into `Rejected`, `Later` and `Stuck`.
"""

import ssl
import time
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx2

from belvedere import __version__


def client(
    base_url: str = "", *, timeout_s: float = 10.0, transport: httpx2.BaseTransport | None = None, ca_file: str = ""
) -> httpx2.Client:
    """Make a client that gives up after `timeout_s` seconds at each stage and follows no redirect.

    Environment proxies are honoured as elsewhere on the host. `transport` is for tests. `ca_file` names a file of
    certificates to trust besides the system's own.

    Raises:
        OSError: `ca_file` cannot be read.
        ssl.SSLError: it holds no certificate.
    """
    trusted: ssl.SSLContext | bool = True
    if ca_file:
        trusted = ssl.create_default_context()
        trusted.load_verify_locations(ca_file)
    return httpx2.Client(
        base_url=base_url,
        timeout=httpx2.Timeout(timeout_s),
        headers={"User-Agent": f"belvedere/{__version__}"},
        transport=transport,
        verify=trusted,
        follow_redirects=False,
    )


def clock_ahead_s(
    url: str, *, timeout_s: float = 5.0, ca_file: str = "", transport: httpx2.BaseTransport | None = None
) -> float | None:
    """Return how far a server's clock is ahead of ours, in seconds, by the `Date` of an answer; None if unknown.

    The answer tells whole seconds, and the way there and back counts for half.
    """
    try:
        with client(timeout_s=timeout_s, transport=transport, ca_file=ca_file) as http:
            began = time.time()
            answer = http.get(url)
            now = (began + time.time()) / 2
        told = parsedate_to_datetime(answer.headers["Date"])
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, KeyError, ValueError):
        return None
    return told.replace(tzinfo=told.tzinfo or UTC).timestamp() + 0.5 - now
