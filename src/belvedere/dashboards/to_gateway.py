"""The typed model as a dashboard of a shared Grafana, whose rows come through the query gateway.

It is the document of `to_grafana.py` with each query carried by Grafana's InfluxQL data source: the same SQL in raw
mode, behind a comment into which Grafana writes the time range (`gateway/macros.py` reads it). Pure. What is not here:
the SQL, and sending it.
"""

from typing import Any, Final
from uuid import UUID

from belvedere.dashboards.to_grafana import Document, to_grafana
from belvedere.gateway.model import LEADING_COMMENT, LEADING_COMMENT_TABLE
from belvedere.workspaces.model import Model

_TYPE: Final = "influxdb"
_LABELLED: Final = " AS metric"


def to_gateway(model: Model, dashboard_id: UUID, *, datasource: str) -> Document:
    """Write a dashboard. `datasource` is the uid of the gateway's data source for the model's kind of store."""
    document = to_grafana(model, dashboard_id, datasource=datasource)
    source = {"type": _TYPE, "uid": datasource}
    for panel in document["panels"]:
        if "targets" in panel:
            panel["datasource"] = source
            panel["targets"] = [_target(target, source) for target in panel["targets"]]
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            written = LEADING_COMMENT_TABLE + variable["query"]
            variable |= {"datasource": source, "query": written, "definition": written}
    return document


def _target(target: dict[str, Any], source: Document) -> Document:
    """Carry one query. A name that Grafana would put together from all labels is the label, or the column, alone."""
    table = target["format"] == "table"
    text = str(target["rawSql"])
    return {
        "refId": target["refId"], "datasource": source, "rawQuery": True,
        "query": (LEADING_COMMENT_TABLE if table else LEADING_COMMENT) + text,
        "resultFormat": "table" if table else "time_series",
        "alias": "" if table else "$tag_metric" if _LABELLED in text.partition(" FROM ")[0] else "$col",
    }
