"""A dashboard that people made in Grafana, as a template: read with suspicion, filled for a table; ours handed out.

Pure. Placeholders are Grafana's own: what "Export for sharing externally" writes for a data source (`${DS_...}`), and
the constants `${VAR_TABLE}`, `${VAR_SCHEMA}` and `${VAR_DATABASE}`. Everything else goes to Grafana as it came. What is
not here: keeping templates (`templates.py`), our own panels (`to_grafana.py`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from uuid import UUID

import msgspec
from psycopg import sql

from belvedere.dashboards.to_grafana import Document, Macros, to_grafana, uid
from belvedere.kernel.errors import Rejected
from belvedere.workspaces.grafana.document import POSTGRES, SAME_TYPE
from belvedere.workspaces.model import Model

MOST_BYTES: Final = 1_000_000
_MOST_PANELS: Final = 300
_DEEPEST: Final = 60
_LONGEST_TITLE: Final = 200
_DATA_SOURCE: Final = "${DS_BELVEDERE}"
_INNER: Final = frozenset({"grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --", "__expr__", "datasource"})
_WRAPPING: Final = frozenset({"__inputs", "__requires", "__elements"})
_SQL: Final = frozenset({"rawSql", "query", "definition"})
_NAMES: Final = ("VAR_TABLE", "VAR_SCHEMA", "VAR_DATABASE")
_PLACE: Final = re.compile(r"(['\"]?)\$\{(VAR_[A-Z]+)\}(['\"]?)")
_SCRIPT: Final = re.compile(r"\s*(javascript|vbscript|data:text/html)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GrafanaTemplate:
    """One dashboard of Grafana that was checked. `sources` are the references that stand for the tenant's data source.

    `constants` are the values of placeholders that Belvedere does not fill by itself.
    """

    title: str
    document: Document
    sources: frozenset[str]
    constants: Mapping[str, str]
    panels: int


def read(data: bytes) -> GrafanaTemplate:
    """Read an export of Grafana.

    Raises:
        Rejected: it is too large, no dashboard, or holds what a template cannot; the sentence says which.
    """
    if len(data) > MOST_BYTES:
        _refuse(f"The file has {len(data):,} bytes; a template has at most {MOST_BYTES:,}.")
    try:
        found: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        _refuse("This is no JSON. Export the dashboard from Grafana: Share, Export, Save to file.")
    return check(found)


def check(found: object) -> GrafanaTemplate:
    """Check a dashboard that is JSON already; see `read`."""
    if isinstance(found, dict) and isinstance(found.get("dashboard"), dict):
        found = found["dashboard"]
    if not isinstance(found, dict):
        _refuse("This is JSON but no dashboard.")
    if "elements" in found or "apiVersion" in found or isinstance(found.get("spec"), dict):
        _refuse("This is the new form of Grafana 12 and later. Export it again as classic JSON.")
    title, panels = found.get("title"), found.get("panels")
    if not isinstance(title, str) or not title.strip() or len(title) > _LONGEST_TITLE:
        _refuse(f"The dashboard has no title of 1 to {_LONGEST_TITLE} characters.")
    if not isinstance(panels, list) or not panels:
        _refuse("The dashboard has no panels.")
    _must_be_shallow(found)
    count = sum(1 for _ in _panels(panels))
    if count > _MOST_PANELS:
        _refuse(f"The dashboard has {count:,} panels; a template has at most {_MOST_PANELS}.")
    constants = _constants(found)
    return GrafanaTemplate(title.strip(), found, _sources(found), constants, count)


def fill(template: GrafanaTemplate, model: Model, dashboard_id: UUID, *, datasource: str) -> Document:
    """Write the dashboard of one table. `datasource` is the uid of the tenant's data source, or stands for it."""
    filler = _Filler(template, model, {"type": POSTGRES, "uid": datasource})
    kept = {key: value for key, value in template.document.items() if key not in _WRAPPING}
    made: Document = filler.fill(kept)
    if not any(f"${{{name}}}" in template.title for name in _NAMES):
        # Of two dashboards of one title in a folder Grafana lets one replace the other.
        made["title"] = f"{template.title} · {_full_name(model)}"
    return {**made, "id": None, "uid": uid(dashboard_id), "version": 0}


def export(model: Model, dashboard_id: UUID, template: GrafanaTemplate | None = None) -> Document:
    """Hand out a dashboard in the form that any Grafana imports by hand, asking for the data source."""
    if template is None:
        made = to_grafana(model, dashboard_id, datasource=_DATA_SOURCE)
    else:
        made = fill(template, model, dashboard_id, datasource=_DATA_SOURCE)
    name = _DATA_SOURCE[2:-1]
    asked = {
        "name": name, "label": f"PostgreSQL with {model.database}", "description": "", "type": "datasource",
        "pluginId": POSTGRES, "pluginName": "PostgreSQL",
    }
    needs = [{"type": "datasource", "id": POSTGRES, "name": "PostgreSQL", "version": "1.0.0"}]
    return {"__inputs": [asked], "__elements": {}, "__requires": needs, **made}


def generalised(document: Mapping[str, Any], model: Model) -> Document:
    """Turn a dashboard of one table, as it stands in Grafana, into one for any: its table becomes placeholders.

    Only a table that is quoted in full, as our own queries do it, is recognised.
    """
    quoted = sql.SQL("{}.{}").format(sql.Identifier(model.schema), sql.Identifier(model.table)).as_string()

    def walk(value: Any, key: str = "") -> Any:  # noqa: ANN401  (any JSON)
        if isinstance(value, dict):
            return {name: walk(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [walk(one, key) for one in value]
        if isinstance(value, str) and key in _SQL:
            return value.replace(quoted, '"${VAR_SCHEMA}"."${VAR_TABLE}"')
        return value

    made: Document = walk(dict(document))
    made["title"] = str(made.get("title", "")).removesuffix(f" · {_full_name(model)}")
    return {key: value for key, value in made.items() if key not in {"id", "uid", "version"}}


def _full_name(model: Model) -> str:
    schema = "" if model.schema == "public" else f"{model.schema}."
    return f"{model.database}.{schema}{model.table}"


def _refuse(message: str) -> NoReturn:
    raise Rejected(message, field="file") from None


def _panels(panels: object) -> Iterator[Document]:
    """Give panels, those of closed rows too."""
    for panel in panels if isinstance(panels, list) else ():
        if not isinstance(panel, dict):
            _refuse("A panel of the dashboard is none.")
        yield panel
        yield from _panels(panel.get("panels"))


def _must_be_shallow(found: object) -> None:
    """Look at every value once, without recursion: it may be as deep as its author likes.

    Raises:
        Rejected: it is too deep, or runs a script on a click.
    """
    waiting: list[tuple[object, int]] = [(found, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            _refuse(f"The dashboard is nested deeper than {_DEEPEST} levels.")
        if isinstance(value, str) and _SCRIPT.match(value):
            _refuse("A link of the dashboard runs a script.")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting += [(one, depth + 1) for one in inner]


def _inputs(document: Document) -> list[Document]:
    inputs = document.get("__inputs") or []
    if not isinstance(inputs, list) or any(not isinstance(one, dict) or "name" not in one for one in inputs):
        _refuse("The placeholders of the dashboard (`__inputs`) are none.")
    return inputs


def _constants(document: Document) -> dict[str, str]:
    """Take the values of placeholders that are none of ours."""
    found = {}
    for one in _inputs(document):
        name = str(one["name"])
        if one.get("type") == "constant" and name not in _NAMES:
            if not isinstance(one.get("value"), str):
                _refuse(f"The placeholder `{name[:60]}` has no value.")
            found[name] = one["value"]
    return found


def _sources(document: Document) -> frozenset[str]:
    """Find what stands for the data source: placeholders and variables, or the one source that is named.

    Raises:
        Rejected: it asks something besides PostgreSQL, several sources, or panels of a library.
    """
    if document.get("__elements") or any("libraryPanel" in one for one in _panels(document["panels"])):
        _refuse("The dashboard uses panels of a library. Unlink them in Grafana, then export it again.")
    asked = {str(one["name"]): str(one.get("pluginId", "")) for one in _inputs(document)
             if one.get("type") == "datasource"}
    variables = [one for one in _variables(document) if one.get("type") == "datasource"]
    asked |= {str(one.get("name")): str(one.get("query")) for one in variables}
    found: dict[str, str] = {}
    for source in _references(document):
        name, kind = (source, "") if isinstance(source, str) else (str(source.get("uid", "")), str(source.get("type")))
        if name in _INNER or kind in _INNER or name == "None":
            continue
        found[name] = asked.get(_bare(name), kind)
    foreign = sorted({kind for kind in found.values() if kind and kind not in SAME_TYPE})
    if foreign:
        _refuse(f"The dashboard asks {', '.join(foreign)[:100]}; tenants have PostgreSQL data sources.")
    if len({name for name in found if not name.startswith("$")}) > 1:
        _refuse("The dashboard asks several data sources. Let every panel ask one, then export it again.")
    if not found:
        _refuse("No panel of the dashboard asks a PostgreSQL data source.")
    return frozenset(found)


def _bare(name: str) -> str:
    return name.removeprefix("$").removeprefix("{").removesuffix("}").partition(":")[0]


def _variables(document: Document) -> list[Document]:
    templating = document.get("templating")
    listed = templating.get("list") if isinstance(templating, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _references(value: object) -> Iterator[str | Document]:
    """Give every reference to a data source, wherever it stands."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "datasource" and isinstance(one, str | dict):
                yield one
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


class _Filler:
    """Puts names where placeholders stand."""

    def __init__(self, template: GrafanaTemplate, model: Model, source: Document) -> None:
        self._sources = template.sources
        self._source = source
        self._dialect = Macros(by_run=False)
        self._names = {
            **template.constants, "VAR_TABLE": model.table, "VAR_SCHEMA": model.schema, "VAR_DATABASE": model.database,
        }

    def fill(self, value: Any, key: str = "") -> Any:  # noqa: ANN401  (any JSON)
        """Return the value with its placeholders filled, every other value as it is."""
        if key == "datasource" and isinstance(value, str | dict):
            name = value if isinstance(value, str) else str(value.get("uid", ""))
            return dict(self._source) if name in self._sources else value
        if isinstance(value, dict):
            made = {name: self.fill(one, name) for name, one in value.items()}
            return self._without_sources(made) if key == "templating" else made
        if isinstance(value, list):
            return [self.fill(one, key) for one in value]
        if isinstance(value, str) and "${VAR_" in value:
            return _PLACE.sub(self._in_sql if key in _SQL else self._in_text, value)
        return value

    def _without_sources(self, templating: Document) -> Document:
        """Leave out variables that choose a data source: the tenant has one for these tables."""
        names = {_bare(name) for name in self._sources if name.startswith("$")}
        listed = [
            one for one in templating.get("list") or []
            if not (isinstance(one, dict) and one.get("type") == "datasource" and one.get("name") in names)
        ]
        return {**templating, "list": listed}

    def _in_text(self, match: re.Match[str]) -> str:
        name = self._names.get(match[2])
        return match[0] if name is None else f"{match[1]}{name}{match[3]}"

    def _in_sql(self, match: re.Match[str]) -> str:
        """Quote a name for SQL, whatever quotes stand around it; nothing in a name is taken for SQL or a variable."""
        name = self._names.get(match[2])
        if name is None:
            return match[0]
        if match[2] not in _NAMES:
            return f"{match[1]}{name}{match[3]}"
        if match[1] == match[3] == "'":
            return self._dialect.value(name).as_string().removesuffix("::text")
        before, after = (match[1], match[3]) if match[1] != match[3] else ("", "")
        return f"{before}{self._dialect.name(name).as_string()}{after}"
