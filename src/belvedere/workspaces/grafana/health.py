"""Whether the database behind a data source answers to Grafana.

What is not here: which data sources are asked, and when (`workspace.py`, `../sources.py`).
"""

from typing import Final

from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.answers import Queried, SourceHealth
from belvedere.workspaces.grafana.api import Grafana

_OK: Final = 200
_NO_CHECK: Final = 404


def sickness(grafana: Grafana, uid: str, organisation: int) -> str | None:
    """Return Grafana's sentence on why a data source has no answer, or None when it has one.

    Before version 10 Grafana has no check for PostgreSQL (seen on 9.3.2: 404, whatever the database does); a question
    is sent through the data source there.

    Raises:
        GrafanaAway: Grafana itself does not answer.
    """
    answer = grafana.ask(requests.source_health(uid), 400, _NO_CHECK, organisation=organisation)
    if answer.status != _NO_CHECK:
        is_well = answer.status == _OK and answer.read(SourceHealth).status == "OK"
        return None if is_well else answer.message
    asked = grafana.ask(requests.ask_source(uid, "SELECT 1"), 400, _NO_CHECK, organisation=organisation)
    if asked.status == _OK:
        return None
    return next((one.error for one in asked.read(Queried).results.values()), asked.message)
