"""Points as InfluxDB's line protocol, one field in each line, times in seconds. Pure.

The same lines as today's parser writes, so that a series goes on where it stood: tags in the order of the alphabet,
empty ones left out, commas, equal signs and blanks escaped. Numbers are written so that they read back as the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import polars as pl

from belvedere.intake.meters.columns import latest
from belvedere.intake.meters.model import TIME

PIECE_MOST: Final = 64 << 20
"""No piece is much larger than this, in bytes, however long its tags are."""

_NUMBER: Final = 45
"""Bytes of the longest number and time."""

_AT_ONCE: Final = 5
"""Pieces whose lines are written together."""

_END: Final = "belvedere end of line"
"""No column is called so: those of values begin with an M, as channels do."""

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
    """Write the points of a frame, so many lines in each piece at most, each piece ending with a line's end.

    A time that stands twice is written once, with its later values, so that pieces may arrive in any order.
    """
    frame = latest(frame)
    starts = [
        f"{key_of(measurement, channel.tags)} {channel.field.translate(_ESCAPED)}=" for channel in channels
    ]
    step = max(1, min(at_most, PIECE_MOST // (max(map(len, starts), default=0) * 4 + _NUMBER)))
    # As many rows at a time as give some pieces: each takes a moment to begin, and all lines stand in memory.
    for block in frame.iter_slices(max(1, _AT_ONCE * step // max(1, len(channels)))) if channels else ():
        lines = _written(block, starts)
        for begin in range(0, len(lines), step):
            # Put together by polars, since a Python text for each line would cost as much again.
            yield lines.slice(begin, step).str.join("").cast(pl.Binary).item()


def _written(block: pl.DataFrame, starts: Sequence[str]) -> pl.Series:
    """Return the lines of some rows, channel by channel."""
    timed = block.lazy().with_columns(
        pl.concat_str(pl.lit(" "), pl.col(TIME).cast(pl.String), pl.lit("\n")).alias(_END)
    )
    return pl.concat([
        timed.filter(pl.col(column).is_not_null()).select(
            pl.concat_str(pl.lit(start), pl.col(column).cast(pl.String), pl.col(_END)).alias("line")
        )
        for column, start in zip(block.columns[1:], starts, strict=True)
    ]).collect().get_column("line")


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
