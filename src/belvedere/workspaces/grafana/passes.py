"""Passes by which a browser sees one tenant's dashboards for a short time, to take pictures of them.

What is not here: pages that are public meanwhile (`public.py`), the browser.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from belvedere.kernel.clock import monotonic_s
from belvedere.kernel.errors import Later, Rejected
from belvedere.kernel.ids import opaque
from belvedere.kernel.secret import Secret
from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import Token
from belvedere.workspaces.grafana.api import Grafana

_OK: Final = frozenset({200, 201})


class Mode(StrEnum):
    """How pictures of Grafana's pages are taken."""

    TOKEN = "token"  # noqa: S105
    PUBLIC = "public"
    RENDERER = "renderer"


def mode_of(text: str) -> Mode:
    """Read the setting.

    Raises:
        Rejected: it names no mode.
    """
    if text not in list(Mode):
        message = f"BELVEDERE_GRAFANA_CAPTURE={text!r} must be one of {', '.join(Mode)}."
        raise Rejected(message, code="setting", field="BELVEDERE_GRAFANA_CAPTURE")
    return Mode(text)


@dataclass(frozen=True, slots=True)
class CapturePass:
    """What a browser needs to see one tenant's dashboards, for a short time.

    `origin` is the one address that `token` may be sent to; `organisation` goes into page addresses as `orgId`.
    Without a token `page` is the one dashboard, as a public page below `/public-dashboards/`; `public` is its record.
    """

    origin: str
    token: Secret
    organisation: int
    account: int
    number: int
    ends_at_s: float
    tenant: int = 0
    mode: Mode = Mode.TOKEN
    page: str = ""
    public: str = ""


def make_pass(
    grafana: Grafana, organisation: int, account: int, *, for_s: int, tenant: int, mode: Mode = Mode.TOKEN
) -> CapturePass:
    """Make a token of a service account that ends by itself after `for_s` seconds.

    Raises:
        Later: the service account is gone, or Grafana is away.
    """
    # The name must be unique in the organisation, so it never repeats.
    request = requests.create_token(account, f"preview-{opaque()}", for_s)
    answer = grafana.ask(request, 404, organisation=organisation)
    if answer.status not in _OK:
        message = "The service account for previews is gone from Grafana. It is made again."
        raise Later(message)
    token = answer.read(Token)
    return CapturePass(
        grafana.url, Secret(token.key), organisation, account, token.id, monotonic_s() + for_s, tenant, mode
    )
