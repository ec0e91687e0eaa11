"""The rows of the table of settings that concern files that come in: folders, how they are read, reports.

They stand on Grafana's rows because a class with slots can have one parent only.

What is not here: how the table is read, and every other row (`settings.py`).
"""

from dataclasses import dataclass
from typing import Final

from belvedere.kernel.setting_rows import bool_row, float_row, int_row, text_row
from belvedere.kernel.settings_grafana import GrafanaSettings

_FILES: Final = "Files in"


@dataclass(frozen=True, slots=True)
class IntakeSettings(GrafanaSettings):
    """The part of `Settings` that has to do with files that come in."""

    intake: bool = bool_row(
        "BELVEDERE_INTAKE", "Take files that tenants send: watch their folders and read what comes.", default=True,
        section=_FILES,
    )
    data_root: str = text_row(
        "BELVEDERE_DATA_ROOT",
        "data",
        "Folder of the tenants' folders, `<tenant>/<campaign>/<device>/<file>`, relative to the home.",
        section=_FILES,
    )
    tsv_report_dir: str = text_row(
        "TSV_REPORT_DIR", "reports", "Folder of the reports on what was read, relative to the home.", section=_FILES
    )
    tsv_meta_bucket: str = text_row(
        "TSV_META_BUCKET", "powerview_meta", "Where the summary of each run and file is kept.", section=_FILES
    )
    intake_look_s: float = float_row(
        "BELVEDERE_INTAKE_LOOK_S", 60.0, "Seconds between two looks at all folders, the safety net.", section=_FILES,
        least=1.0,
    )
    intake_still_s: float = float_row(
        "BELVEDERE_INTAKE_STILL_S",
        2.0,
        "How long a file must be still to count as complete, in seconds, when no notice says that it was closed.",
        section=_FILES, least=0.0,
    )
    intake_memory_bytes: int = int_row(
        "BELVEDERE_INTAKE_MEMORY_BYTES", 1_073_741_824,
        "Memory that reading files may take, in bytes; a file that needs more is refused.", section=_FILES,
        least=268_435_456,
    )
    intake_timeout_s: float = float_row(
        "BELVEDERE_INTAKE_TIMEOUT_S", 600.0, "Longest time without progress while a file is read, in seconds.",
        section=_FILES, least=1.0,
    )
    intake_readers: int = int_row(
        "BELVEDERE_INTAKE_READERS", 2, "Tenants whose files one runner reads at one time.", section=_FILES, least=1,
        most=32,
    )
