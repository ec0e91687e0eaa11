"""The report of a run, written as a file: one for each run, in the shape that today's parser writes.

What is not here: that shape (`meters/report.py`).
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from belvedere.intake import store
from belvedere.intake.files import sentence
from belvedere.intake.meters import model as meters
from belvedere.intake.meters.report import Run as MeterRun
from belvedere.intake.meters.report import file_report, report_name, run_report
from belvedere.intake.names import OURS
from belvedere.intake.work import Run
from belvedere.kernel.clock import Now
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Later
from belvedere.kernel.failpoints import failpoint

Summaries = Callable[[bytes], None]
"""Keeps summary points of runs and files, as line protocol."""


class Reports:
    """Writes what became of a run's files, for people and programs that read such reports today."""

    def __init__(self, *, database: Database, folder: Path, root: Path, summaries: Summaries, now: Now) -> None:
        """Take the folder of the reports, and where tenants' folders lie."""
        self._database = database
        self._folder = folder
        self._root = root
        self._summaries = summaries
        self._now = now

    def write(self, run: Run, tenant: str) -> None:
        """Write the report of a run whose files are done, under a name that is the run's: twice is once.

        Raises:
            Later: it cannot be written now; the run stays open and the next job of the tenant tries again.
        """
        with self._database.transaction() as connection:
            files = store.of_run(connection, run.id)
        name = ""
        if files:
            report = self._report(run, tenant, files)
            name = report_name(report["run_id"])
            self._write(name, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
            failpoint("intake.report.written")
            self._keep_summary(report, run)
        with self._database.transaction() as connection:
            store.end_run(connection, run.id, name, self._now())

    def _report(self, run: Run, tenant: str, files: list[dict[str, Any]]) -> dict[str, Any]:
        end = max(file["ended_at"] for file in files)
        # The time of today's name, and enough of the run's id to tell two of one second.
        named = f"{run.started_at.isoformat(timespec='seconds')}_{run.id.hex[-8:]}"
        about = MeterRun(
            named, run.started_at, end, round((end - run.started_at).total_seconds(), 3), str(self._root)
        )
        return run_report(about, [self._file(tenant, file) for file in files])

    def _file(self, tenant: str, file: dict[str, Any]) -> dict[str, Any]:
        folder, _, name = f"{file['folder']}/{file['name']}".strip("/").rpartition("/")
        place = meters.Place(tenant, file["campaign"] or "", file["device"])
        parsed = file["state"] == "parsed"
        base = file_report(
            str(self._root / tenant / folder / name), place, error=None if parsed else file["error"],
            stored=file["points"] if parsed else None,
        )
        read = {key: value for key, value in (file["report"] or {}).items() if value is not None or key not in base}
        kept = {key: base[key] for key in ("file_path", "bucket", "campaign", "device_master_sn", "status", "error",
                                           "nb_points_in_influx")}
        return base | read | kept | {
            "upload_id": str(file["id"]), "kind": file["kind"], "sha256": (file["sha256"] or b"").hex() or None,
            "version": file["version"], "same_as": str(file["same_as"]) if file["same_as"] else None,
            "moved_to": file["moved_to"], "size_bytes": file["size_bytes"],
            "store_note": file["error"] if parsed else None, "code": None if parsed else file["code"],
            "duration_s": _took(file),
        }

    def _write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        part = self._folder / f"{OURS}{name}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._folder / name)
        except OSError as error:
            code, said = sentence(error)
            part.unlink(missing_ok=True)
            message = f"The report of a run cannot be written to {self._folder}. {said}"
            raise Later(message, retry_in_s=30.0, code=code) from error

    def _keep_summary(self, report: dict[str, Any], run: Run) -> None:
        from belvedere.intake.meters.lines import meta_lines  # noqa: PLC0415 (it brings the columns with it)

        # By the second, runs of two tenants that began in the same one would be one point.
        self._summaries(meta_lines(report, int(run.started_at.timestamp() * 1e6) * 1000))


def _took(file: Mapping[str, Any]) -> float | None:
    """Return how long a file took from the moment it was taken up to its end, in seconds."""
    begun, ended = file["started_at"], file["ended_at"]
    return round((ended - begun).total_seconds(), 3) if begun is not None and ended is not None else None
