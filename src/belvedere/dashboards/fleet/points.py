"""Where the fleet's roles stand in the summary points of an InfluxDB (`intake/meters/lines.py` writes them). Pure."""

from typing import Final

FILES: Final = "tsv_parser_file"
RUNS: Final = "tsv_parser_run"

TAGS: Final = {
    "tenant": "bucket", "campaign": "campaign", "device": "device_master_sn", "file": "file_name",
    "outcome": "status", "reason": "code",
}
FIELDS: Final = {"points": "nb_points", "rows": "nb_rows", "bytes": "size_bytes", "seconds": "duration_s"}
"""`size_bytes`, `duration_s` and the tag `code` are ours: points of today's parser do not have them."""

RUN_FIELDS: Final = {
    "files": "nb_files_total", "failed": "nb_files_failed", "points": "nb_points_total", "took": "duration_s",
}
"""The figures of a run by the names that the template has for them."""

COUNTED: Final = "nb_rows"
"""The field that every file has: its values are counted where files are."""

SUMMED: Final = frozenset({"count", "sum", "distinct"})
"""Functions whose figures begin at zero: where there is none there are no files."""


def heading(role: str) -> str:
    """Return how a column of texts or times is headed."""
    return role.capitalize()
