"""The typed model as a dashboard of a shared Grafana, whose rows come through the query gateway.

It is the document of `to_grafana.py` with each query carried by Grafana's InfluxQL data source: the same SQL in raw
mode, behind a comment into which Grafana writes the time range (`gateway/macros.py` reads it). Pure. What is not here:
the SQL, and sending it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from belvedere.dashboards.to_grafana import Document, to_grafana
from belvedere.gateway.model import LEADING_COMMENT, LEADING_COMMENT_TABLE
from belvedere.workspaces.grafana.document import POSTGRES, SAME_TYPE
from belvedere.workspaces.model import Model

_TYPE: Final = "influxdb"
_OF_INFLUX: Final = frozenset({"query", "resultFormat", "alias"})
_LABELLED: Final = " AS metric"


def to_gateway(model: Model, dashboard_id: UUID, *, datasource: str) -> Document:
    """Write a dashboard. `datasource` is the uid of the gateway's data source for the model's kind of store."""
    return carried(to_grafana(model, dashboard_id, datasource=datasource))


def carried(document: Mapping[str, Any]) -> Document:
    """Write a dashboard for PostgreSQL anew, so that its queries go through the gateway. The given one stays as it is.

    Panels and variables of other data sources are left alone.
    """
    panels = [_panel(panel) for panel in document.get("panels", ())]
    made: Document = {**document, "panels": panels} if "panels" in document else {**document}
    if "templating" in document:
        listed = [_variable(one) for one in document["templating"].get("list", ())]
        made["templating"] = {**document["templating"], "list": listed}
    return made


def uncarried(document: Mapping[str, Any]) -> Document:
    """Write a dashboard of the gateway for PostgreSQL again: the way back of `carried`.

    What a person wrote in InfluxQL's own words, and not as SQL behind our comment, stays as it is.
    """
    panels = [_plain_panel(panel) for panel in document.get("panels", ())]
    made: Document = {**document, "panels": panels} if "panels" in document else {**document}
    if "templating" in document:
        listed = [_plain_variable(one) for one in document["templating"].get("list", ())]
        made["templating"] = {**document["templating"], "list": listed}
    return made


def _plain_panel(panel: Document) -> Document:
    inner = {"panels": [_plain_panel(one) for one in panel["panels"]]} if isinstance(panel.get("panels"), list) else {}
    source = panel.get("datasource")
    if "targets" not in panel or not isinstance(source, Mapping) or not _is_ours(source, panel["targets"]):
        return {**panel, **inner}
    plain = {**source, "type": POSTGRES}
    return {**panel, **inner, "datasource": plain, "targets": [_plain_target(one, plain) for one in panel["targets"]]}


def _plain_target(target: Document, source: Document) -> Document:
    text = str(target.get("query", ""))
    table = target.get("resultFormat") == "table"
    kept = {key: value for key, value in target.items() if key not in _OF_INFLUX}
    return {
        **kept, "datasource": source, "rawSql": _bare(text), "rawQuery": True, "editorMode": "code",
        "format": "table" if table else "time_series",
    }


def _plain_variable(variable: Document) -> Document:
    source = variable.get("datasource")
    if variable.get("type") != "query" or not isinstance(source, Mapping) or not _is_ours(source, [variable]):
        return variable
    written = _bare(str(variable["query"]))
    return {**variable, "datasource": {**source, "type": POSTGRES}, "query": written, "definition": written}


def _is_ours(source: Mapping[str, Any], asked: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether questions were carried; those that ask an InfluxDB itself have no comment of ours before them."""
    texts = [str(one.get("query", "")) for one in asked]
    return source.get("type") == _TYPE and any(_bare(text) != text for text in texts)


def _bare(text: str) -> str:
    return text.removeprefix(LEADING_COMMENT_TABLE).removeprefix(LEADING_COMMENT)


def _is_carried(source: object) -> bool:
    return isinstance(source, Mapping) and source.get("type") in SAME_TYPE


def _panel(panel: Document) -> Document:
    """Carry a panel's queries, and those of the panels that a closed row keeps."""
    inner = {"panels": [_panel(one) for one in panel["panels"]]} if isinstance(panel.get("panels"), list) else {}
    if "targets" not in panel or not _is_carried(panel.get("datasource")):
        return {**panel, **inner}
    source = {**panel["datasource"], "type": _TYPE}
    targets = [_target(target, source) if "rawSql" in target else target for target in panel["targets"]]
    return {**panel, **inner, "datasource": source, "targets": targets}


def _variable(variable: Document) -> Document:
    if variable.get("type") != "query" or not _is_carried(variable.get("datasource")):
        return variable
    written = LEADING_COMMENT_TABLE + str(variable["query"])
    source = {**variable["datasource"], "type": _TYPE}
    return {**variable, "datasource": source, "query": written, "definition": written}


def _target(target: Document, source: Document) -> Document:
    """Carry one query. A name that Grafana would put together from all labels is the label, or the column, alone."""
    table = target.get("format", "table") == "table"
    text = str(target["rawSql"])
    return {
        "refId": target["refId"], "datasource": source, "rawQuery": True,
        "query": (LEADING_COMMENT_TABLE if table else LEADING_COMMENT) + text,
        "resultFormat": "table" if table else "time_series",
        "alias": "" if table else "$tag_metric" if _LABELLED in text.partition(" FROM ")[0] else "$col",
    }
