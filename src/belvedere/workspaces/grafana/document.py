"""A dashboard's JSON as it is sent, compared and recognised. Pure.

Grafana 11 stores what it gets and adds `id` and `version`; everything else that differs was changed by somebody.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from belvedere.kernel.plan import Change

TAG: Final = "belvedere"
"""The tag of every dashboard that is ours."""

POSTGRES: Final = "grafana-postgresql-datasource"
POSTGRES_BEFORE_10: Final = "postgres"
"""The plugin's name up to 10.2; later ones take it as an alias and answer with the new one."""

SAME_TYPE: Final = frozenset({POSTGRES, POSTGRES_BEFORE_10})

_OF_GRAFANA: Final = frozenset({"id", "version"})
_LONGEST_SHOWN: Final = 60


def digest(document: Mapping[str, Any]) -> str:
    """Return what tells two documents apart, whatever Grafana adds by itself."""
    kept = {key: value for key, value in document.items() if key not in _OF_GRAFANA}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    # The plugin's name is no difference: Grafana takes both from 10.3 on, also in dashboards that came from before.
    text = text.replace(f'"type":"{POSTGRES_BEFORE_10}"', f'"type":"{POSTGRES}"')
    return hashlib.sha256(text.encode()).hexdigest()


def fitted(document: Mapping[str, Any], sources: Mapping[str, str], plugin: str) -> dict[str, Any]:
    """Name the tenant's data sources: each store's id is replaced by its uid, the plugin by the one that is there."""

    def walk(value: Any) -> Any:  # noqa: ANN401  (any JSON)
        if isinstance(value, Mapping):
            if value.get("uid") in sources and set(value) <= {"uid", "type"}:
                kind = plugin if value.get("type") in SAME_TYPE else value.get("type")
                return {**({"type": kind} if kind else {}), "uid": sources[value["uid"]]}
            return {key: walk(one) for key, one in value.items()}
        return [walk(one) for one in value] if isinstance(value, list | tuple) else value

    made = walk(document)
    return {**made, "tags": sorted({*made.get("tags", []), TAG}, key=_own_tag_first)}


def _own_tag_first(tag: str) -> tuple[bool, str]:
    return tag != TAG, tag


def differences(old: Any, new: Any, most: int = 12) -> tuple[Change, ...]:  # noqa: ANN401  (any JSON)
    """Say field by field what leads from `old` to `new`, at most so many fields."""
    found: list[Change] = []
    for change in _walk("", old, new):
        if len(found) == most:
            return (*found, Change("...", "", "more fields"))
        found.append(change)
    return tuple(found)


def _walk(path: str, old: Any, new: Any) -> Iterator[Change]:  # noqa: ANN401
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if path or key not in _OF_GRAFANA:
                yield from _walk(f"{path}.{key}" if path else str(key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _walk(f"{path}[{place}]", before, after)
    elif old != new and not (path.endswith(".type") and {old, new} == SAME_TYPE):
        yield Change(path, _shown(old), _shown(new))


def _shown(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "(none)"
    if isinstance(value, list):
        return f"({len(value)} entries)"
    if isinstance(value, Mapping):
        return f"({len(value)} fields)"
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
