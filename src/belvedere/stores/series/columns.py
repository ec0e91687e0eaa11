"""Columns of a batch made ready for one source's table: times in order, each once, and how long each row stands.

What is not here: reading files (`intake/meters/`), and the statements (`postgres.py`). Imports polars: only who writes
points imports this.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final

import polars as pl

EARLIEST_S: Final = -2_208_988_800
"""1900, in seconds since 1970 UTC."""

LATEST_S: Final = 7_258_118_400
"""2200."""

_ROWS: Final = 20_000

_MOST_KINDS: Final = 8
_KIND: Final = "missing"

_FORMS: Final = {"time": "q", "step": "f", "gap": "q"}
"""How `struct` writes the columns that are no channel's: timestamptz, real, bigint. A channel's are float8."""

_EPOCH_S: Final = 946_684_800
"""2000, where PostgreSQL's times begin, in seconds since 1970 UTC."""

_BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"

_PAUSE: Final = 2.5
"""How many usual steps a row may come late before what is between counts as a gap."""


def ready(frames: Sequence[pl.DataFrame]) -> tuple[pl.DataFrame, int]:
    """Put frames of one source into one, the later value of a time winning; tell how many values are out of time.

    Every column but `time` is a channel's; what a frame does not have is null.
    """
    whole = pl.concat(frames, how="diagonal") if len(frames) > 1 else frames[0]
    columns = [name for name in whole.columns if name != "time"]
    whole = whole.with_columns(pl.col(columns).fill_nan(None))
    inside = whole.filter(pl.col("time").is_between(EARLIEST_S, LATEST_S, closed="left"))
    refused = values(whole) - values(inside) if inside.height < whole.height else 0
    diff = inside.get_column("time").diff().drop_nulls()
    if diff.len() and (diff <= 0).any():
        inside = inside.group_by("time", maintain_order=True).agg(pl.all().drop_nulls().last()).sort("time")
    kept = inside.filter(~pl.all_horizontal(pl.col(columns).is_null())) if columns else inside.clear()
    return kept, refused


def values(frame: pl.DataFrame) -> int:
    """Count the values of a frame."""
    return sum(frame.height - frame.get_column(name).null_count() for name in frame.columns if name != "time")


def stepped(frame: pl.DataFrame, before: int | None) -> pl.DataFrame:
    """Say of each row for how many seconds it stands, and how many were without any row before it.

    `before` is the time of the row that stands before the first one in the table. A row stands for the time since the
    one before, or for the usual step where that is missing.
    """
    since = pl.col("time").diff()
    if before is not None:
        since = since.fill_null(pl.col("time").first() - before)
    steps = frame.get_column("time").diff().drop_nulls()
    usual = None if steps.is_empty() else steps.median()
    if not isinstance(usual, int | float):
        # One row says nothing about its step: the time to the row before it is the best guess, an hour the most.
        return frame.select(
            "time", since.clip(0, 3600).cast(pl.Float32).alias("step"), pl.lit(None, pl.Int64).alias("gap"),
            pl.exclude("time"))
    late = since > usual * _PAUSE
    return frame.select(
        "time", pl.when(late | since.is_null()).then(pl.lit(float(usual))).otherwise(since).cast(pl.Float32)
        .alias("step"),
        pl.when(late).then(since - round(usual)).cast(pl.Int64).alias("gap"), pl.exclude("time"))


def encoded(frame: pl.DataFrame) -> tuple[str, Iterator[bytes]]:
    """Write rows as COPY takes them, a few at a time, and tell the format: `binary`, or `csv` where nulls lie anyhow.

    Binary costs the server two thirds of the time, as nothing is read from text. Rows with the same columns missing go
    together then: a meter that writes all of its channels with one clock has one or two kinds of rows.
    """
    holes = [name for name in frame.columns if 0 < frame.get_column(name).null_count() < frame.height]
    if not holes:
        return "binary", _binary([frame])
    kinds = frame.with_columns(pl.struct(pl.col(holes).is_null()).alias(_KIND))
    if kinds.get_column(_KIND).n_unique() > _MOST_KINDS:
        return "csv", _text(frame)
    return "binary", _binary(kinds.partition_by(_KIND, maintain_order=True, include_key=False))


def _binary(frames: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """Write frames, in each of which a column is full or empty: "Binary Format" of COPY in PostgreSQL's manual."""
    yield _BEGIN
    for frame in frames:
        full = [name for name in frame.columns if not frame.get_column(name).null_count()]
        forms = {name: _FORMS.get(name, "d") for name in full}
        pack = struct.Struct(">h" + "".join(f"i{forms.get(name, '')}" for name in frame.columns)).pack
        sizes = {name: struct.calcsize(f">{form}") for name, form in forms.items()}
        counted = frame.with_columns((pl.col("time") - _EPOCH_S) * 1_000_000)
        for part in counted.iter_slices(_ROWS):
            fields: list[Iterable[object]] = [repeat(len(frame.columns))]
            for name in frame.columns:
                fields += [repeat(sizes[name]), part.get_column(name).to_list()] if name in sizes else [repeat(-1)]
            yield b"".join(map(pack, *fields))
    yield _END


def _text(frame: pl.DataFrame) -> Iterator[bytes]:
    for part in frame.iter_slices(_ROWS):
        shown = part.with_columns(
            pl.from_epoch("time", time_unit="s").dt.strftime("%Y-%m-%d %H:%M:%S+00"))
        yield shown.write_csv(include_header=False).encode()
