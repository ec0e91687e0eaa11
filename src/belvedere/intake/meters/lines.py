"""Points as InfluxDB's line protocol, one field in each line, times in seconds. Pure.

The same lines as today's parser writes, so that a series goes on where it stood: tags in the order of the alphabet,
empty ones left out, commas, equal signs and blanks escaped. Numbers are written so that they read back as the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from io import SEEK_END, BytesIO
from typing import Any, Final, Protocol

import polars as pl

from belvedere.intake.meters.columns import latest
from belvedere.intake.meters.model import TIME

PIECE_MOST: Final = 64 << 20
"""No piece is much larger than this, in bytes, however long its tags are."""

_MARK: Final = b"\0"
"""Stands for the start of a line until there are all numbers."""

_NUMBER: Final = 45
"""Bytes of the longest number and time."""

_ESCAPED: Final = str.maketrans({
    ",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r",
})
_ESCAPED_MEASUREMENT: Final = str.maketrans({
    ",": r"\,", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r",
})


class Series(Protocol):
    """A channel, as far as it names a series."""

    @property
    def field(self) -> str:
        """The field's name."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags; empty values are left out."""
        ...


def key_of(measurement: str, tags: Mapping[str, str]) -> str:
    """Return measurement and tags as a line begins with them."""
    named = sorted((name, value) for name, value in tags.items() if name and value)
    return ",".join([
        measurement.translate(_ESCAPED_MEASUREMENT),
        *(f"{name.translate(_ESCAPED)}={_tag_value(value)}" for name, value in named),
    ])


def _tag_value(value: str) -> str:
    """Escape a tag's value; a backslash at its end would take the mark behind it along."""
    escaped = value.translate(_ESCAPED)
    return f"{escaped} " if escaped.endswith("\\") else escaped


def lines_of(measurement: str, channels: Sequence[Series], frame: pl.DataFrame, at_most: int) -> Iterator[bytes]:
    """Write the points of a frame channel by channel, each piece full of so many lines and ending with a line's end.

    A time that stands twice is written once, with its later values, so that pieces may arrive in any order.
    """
    frame = latest(frame)
    starts = [
        f"{key_of(measurement, channel.tags)} {channel.field.translate(_ESCAPED)}=".encode() for channel in channels
    ]
    step = max(1, min(at_most, PIECE_MOST // (max(map(len, starts), default=0) + _NUMBER)))
    parts: list[bytes] = []
    room = step
    for values, start in zip(frame.get_columns()[1:], starts, strict=True):
        points, at = pl.DataFrame([values, frame[TIME]]), 0
        if values.null_count():
            points = points.filter(values.is_not_null())
        while at < points.height:
            block = points.slice(at, room)
            parts.append(_written(block, start))
            at += block.height
            room -= block.height
            if not room:
                yield _joined(parts)
                parts, room = [], step
    if parts:
        yield _joined(parts)


def _written(points: pl.DataFrame, start: bytes) -> bytes:
    """Return the lines of some points of one channel.

    Nearly all of a line is its start, the same in all of them: so only the numbers are written one by one, as
    separated columns are, for nothing writes numbers faster, with a mark where each line starts.
    """
    numbers = BytesIO(_MARK)
    numbers.seek(0, SEEK_END)
    points.write_csv(
        numbers, include_header=False, separator=" ", quote_style="never", line_terminator=f"\n{_MARK.decode()}"
    )
    numbers.truncate(numbers.tell() - len(_MARK))
    return numbers.getvalue().replace(_MARK, start)


def _joined(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)


def meta_lines(report: Mapping[str, Any], at: int) -> bytes:
    """Write the points about a run and its files, from the run's report, at this nanosecond.

    `tsv_parser_run` has one point, `tsv_parser_file` one for each file; both as today's parser writes them, with what
    it does not know besides: whose run it was, how large a file was and how long it took, and the code of a refusal.
    """
    whose = {str(one["bucket"]) for one in report["files"] if one["bucket"]}
    lines = [_meta("tsv_parser_run", {"status": report["status"]}, {
        **{name: report[name] for name in ("nb_files_total", "nb_files_success", "nb_files_failed", "nb_points_total")},
        "duration_s": float(report["duration_s"]),
        "base_folder": str(report["base_folder"]),
        **({"bucket": whose.pop()} if len(whose) == 1 else {}),
    }, at)]
    lines += [
        _meta("tsv_parser_file", {
            "status": one["status"],
            "bucket": one["bucket"] or "",
            "campaign": one["campaign"] or "",
            "device_master_sn": one["device_master_sn"] or "",
            "file_name": str(one["file_path"]).rpartition("/")[2],
            "code": one.get("code") or "",
        }, {name: one[name] for name in (*_FILE_FIELDS, *_MORE_FIELDS) if one.get(name) is not None}, at)
        for one in report["files"]
    ]
    return "".join(f"{line}\n" for line in lines).encode()


_FILE_FIELDS: Final = ("nb_rows", "nb_channels", "nb_points", "nb_invalid_timestamps", "nb_invalid_values")
_MORE_FIELDS: Final = ("size_bytes", "duration_s")
"""What only a report of ours has."""


def _meta(measurement: str, tags: Mapping[str, str], fields: Mapping[str, int | float | str], at: int) -> str:
    written = ",".join(f"{name}={_value(value)}" for name, value in sorted(fields.items()))
    return f"{key_of(measurement, tags)} {written} {at}"


def _value(value: float | str) -> str:
    """Write a field's value: whole numbers with an `i`, others bare, texts in quotes."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value}i" if isinstance(value, int) else repr(value)
