"""The report of a run and of each file, in the shape that today's parser writes, with more besides. Pure.

Always JSON: a value that is none is null, never NaN. Times are ISO 8601 in UTC. What today's report has keeps its name
and meaning, so that what reads it goes on; what is new stands behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from belvedere.intake.meters.model import ChannelSummary, Gap, Header, Place, Reason, Skipped, Summary

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """One run over files, begun and ended at these times. `duration_s` is measured, not their difference."""

    id: str
    start: datetime
    end: datetime
    duration_s: float
    base_folder: str
    dry_run: bool = False


def moment(seconds: int | None) -> str | None:
    """Return seconds since 1970 as a time in UTC: `2026-01-05T10:10:00+00:00`."""
    return None if seconds is None else (_EPOCH + timedelta(seconds=seconds)).isoformat()


def file_report(
    path: str,
    place: Place,
    *,
    header: Header | None = None,
    summary: Summary | None = None,
    error: str | None = None,
    stored: int | None = None,
) -> Json:
    """Return the report of one file.

    Args:
        path: the file as people name it.
        place: where it lies; its folders name bucket, campaign and device.
        header: its header, none if it was refused for it.
        summary: what it held, none if it was refused.
        error: why it is refused or was not stored; none means success.
        stored: how many points the store says it has of this file, none if nobody asked.
    """
    report: Json = {
        "file_path": path,
        "bucket": place.company or None,
        "campaign": place.campaign or None,
        "device_master_sn": place.device or None,
        "status": "error" if error else "success",
        "error": error,
        "nb_rows": 0,
        "nb_channels": len(header.channels) if header else 0,
        "nb_points": 0,
        "nb_invalid_timestamps": 0,
        "nb_invalid_values": 0,
        "channels": {},
        "file_header_meta": dict(header.meta) if header else {},
        "nb_points_expected": None,
        "nb_points_in_influx": stored,
        "time_start": None,
        "time_end": None,
        "format": header.format if header else None,
        "notes": list(header.notes) if header else [],
    }
    return report | _counts(summary) if summary else report


def _counts(summary: Summary) -> Json:
    """Return what a file held."""
    return {
        "nb_rows": summary.rows_read,
        "nb_points": summary.points,
        "nb_invalid_timestamps": summary.skipped(Reason.BAD_TIME, Reason.CUT_OFF, Reason.TOO_LONG),
        "nb_invalid_values": summary.skipped(Reason.NOT_A_NUMBER, Reason.NOT_FINITE),
        "channels": {one.channel.id: _channel(one) for one in summary.channels},
        "nb_points_expected": summary.points,
        "time_start": moment(summary.time_start),
        "time_end": moment(summary.time_end),
        "nb_rows_stored": summary.rows_stored,
        "nb_blank_lines": summary.blank_lines,
        "nb_lost_clock_rows": summary.lost_clock_rows,
        "nb_extra_cells": summary.extra_cells.total if summary.extra_cells else 0,
        "finished": summary.finished,
        "skipped_rows": _skipped(summary.rows_skipped),
        "skipped_values": _skipped(summary.values_skipped),
        "usual_step_s": summary.usual_step_s,
        "nb_gaps": summary.gaps_total,
        "gaps": _gaps(summary.gaps),
        "picture_width_s": summary.picture_width_s,
    }


def _channel(one: ChannelSummary) -> Json:
    return {
        "column_idx": one.channel.column,
        "device_master_sn": one.channel.device_master_sn,
        "device_sn": one.channel.device_sn,
        "device_type": one.channel.device_type,
        "channel_label": one.channel.label,
        "channel_name": one.channel.name,
        "channel_unit": one.channel.unit,
        "nb_points": one.count,
        "min": one.minimum,
        "max": one.maximum,
        "mean": one.mean,
        "device_subtype": one.channel.device_subtype or None,
        "nb_gaps": one.gaps_total,
        "gaps": _gaps(one.gaps),
        "picture": [[bucket.start, bucket.least, bucket.greatest] for bucket in one.picture],
    }


def _skipped(every: Sequence[Skipped]) -> list[Json]:
    return [{"reason": str(one.reason), "total": one.total, "first_lines": list(one.first_lines)} for one in every]


def _gaps(gaps: Sequence[Gap]) -> list[Json]:
    return [{"start": moment(gap.start), "end": moment(gap.end), "length_s": gap.length_s} for gap in gaps]


def run_report(run: Run, files: Sequence[Mapping[str, Any]]) -> Json:
    """Return the report of a run over files, whose own reports these are."""
    good = [one for one in files if one["status"] == "success"]
    return {
        "run_id": run.id,
        "start_time": run.start.isoformat(),
        "end_time": run.end.isoformat(),
        "duration_s": run.duration_s,
        "base_folder": run.base_folder,
        "nb_files_total": len(files),
        "nb_files_success": len(good),
        "nb_files_failed": len(files) - len(good),
        "nb_points_total": sum(one["nb_points"] for one in good),
        "status": "success" if len(good) == len(files) else "partial_failure",
        "files": [dict(one) for one in files],
        "dry_run": run.dry_run,
    }


def report_name(run_id: str) -> str:
    """Return the name of a run's report file."""
    return f"tsv_parser_{run_id.replace(':', '-')}.json"
