"""Whatever the bytes: no crash, no loss, bounded memory, linear time, and the same however the file is cut up."""

import pickle
import time
import tracemalloc

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belvedere.intake.meters import parse
from belvedere.intake.meters.formats import Formats
from belvedere.intake.meters.model import Batch, Reason
from belvedere.intake.meters.packing import pack, unpack
from belvedere.intake.meters.parse import open_file
from belvedere.intake.meters.rows import LINE_MOST
from belvedere.kernel.errors import Rejected
from meter_files import HEAD, ROWS, newer

FEW = settings(
    max_examples=80, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FORMATS = Formats.load()
GOOD = b"05/01/26 10:00:00\t231.5\t12.25\n"


def rows(count: int, *, step: int = 10, first: int = 0) -> bytes:
    """Return so many rows with times of their own."""
    return b"".join(
        b"%02d/01/26 %02d:%02d:%02d\t%d.5\t-%d.25\n"
        % (1 + at // 86400 % 28, at // 3600 % 24, at // 60 % 60, at % 60, at % 300, at % 7)
        for at in range(first * step, (first + count) * step, step)
    )


def account(found) -> None:
    """Assert that every row and every value is either stored or counted with a reason."""
    summary, channels = found.summary, len(found.header.channels)
    assert summary.rows_read == summary.rows_stored + sum(one.total for one in summary.rows_skipped)
    assert summary.rows_stored == sum(batch.frame.height for batch in found.batches)
    judged = summary.rows_stored + summary.skipped(Reason.NO_VALUE)
    assert judged * channels == summary.points + sum(one.total for one in summary.values_skipped)
    frames = [batch.frame for batch in found.batches]
    assert summary.points == sum(frame[name].count() for frame in frames for name in frame.columns[1:])
    for frame in frames:
        assert frame.schema == {"time": pl.Int64, **{channel.id: pl.Float64 for channel in found.header.channels}}
        assert not frame.select(pl.exclude("time").is_finite().not_().any()).to_series().any()


@FEW
@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_are_read_or_refused(whole, data, block):
    for head in (b"", HEAD, HEAD + ROWS, newer(end=b""), b"START_HEADER\n"):
        try:
            account(whole(head + data, block=block))
        except Rejected as refused:
            assert refused.detail and refused.problem == "bad-meter-file"


@pytest.mark.usefixtures("by_columns")
@FEW
@given(
    st.integers(0, 3000),
    st.sampled_from([b"", b"\t", b"\n", b"\r", b"\0", b"\xff", b'"', b"9", b"-", b" ", b"e", b"END_DATA\n"]),
    st.integers(0, 5), st.integers(200, 1000),
)
def test_a_damaged_file_loses_only_what_is_damaged(whole, at, put, gone, block):
    data = newer(rows(60), end=b"END_DATA\n")
    at %= len(data)
    try:
        found = whole(data[:at] + put + data[at + gone:], block=block)
    except Rejected:
        assert at < 300, "only a header refuses a file"
    else:
        account(found)
        if b"END" not in put and at > 300:
            assert found.summary.rows_stored >= 60 - 1 - put.count(b"\n") - 1


@pytest.mark.parametrize("block", [1, 7, 64, 1000, 1 << 22])
@pytest.mark.parametrize("few", [1, 5, 64])
def test_it_does_not_matter_how_a_file_is_cut_up(whole, monkeypatch, block, few):
    odd = b"0\n" + GOOD + b"31/02/26 10:00:00\t1\t2\n\n" + GOOD[:-1] + b"\t7\n"
    odd += b"05/01/26 10:00:01\t\t\n05/01/26 10:00:02\t\t5\n"
    data = newer(rows(40) + odd + rows(30, first=40), end=b"END_DATA")
    whole_at_once = whole(data)
    monkeypatch.setattr(parse, "FEW", few)
    found = whole(data.replace(b"\n", b"\r\n"), block=block)
    assert found.points == whole_at_once.points and found.summary.rows_skipped == whole_at_once.summary.rows_skipped
    assert found.summary.values_skipped == whole_at_once.summary.values_skipped
    assert found.summary.extra_cells == whole_at_once.summary.extra_cells
    assert pl.concat([batch.frame for batch in found.batches]).equals(whole_at_once.batches[0].frame)
    assert found.summary.rows_skipped[0].first_lines == (47, 49)


@pytest.mark.parametrize("block", [100, 1 << 22])
def test_the_first_lines_of_a_reason_are_the_first_in_the_file(whole, monkeypatch, block):
    monkeypatch.setattr(parse, "FEW", 1)
    empty, odd = b"05/01/26 10:00:00\t1\t\n", b"05/01/26 10:00:00\tx\t\n"
    found = whole(HEAD + (empty * 3 + odd) * 10, block=block)
    assert found.skipped()["empty"] == (40, tuple(range(3, 23)))
    assert found.skipped()["not a number"] == (10, tuple(range(6, 43, 4)))


def test_a_line_without_end_is_passed_over_in_bounded_memory():
    stream = Endless(HEAD + ROWS, b"x" * 65536, 60 << 20, b"\n" + GOOD)
    tracemalloc.start()
    reading = open_file(stream, parse.Place("a", "b"), FORMATS)
    stored = sum(batch.frame.height for batch in reading.batches())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stored == 3 and peak < 40 << 20
    assert reading.summary().rows_skipped[0].reason is Reason.TOO_LONG
    assert reading.summary().rows_skipped[0].first_lines == (5,)


def test_a_file_that_is_one_line_is_refused_after_its_first_megabytes():
    stream = Endless(b"", b"1\t" * 32768, 5 << 30, b"")
    with pytest.raises(Rejected, match="without an end"):
        open_file(stream, parse.Place("a", "b"), FORMATS)
    assert stream.given <= 8 << 20


def test_a_long_line_is_too_long_wherever_it_stands(whole):
    for before in (0, 20_000):
        data = HEAD + rows(before) + b"05/01/26 10:00:00\t1\t" + b" " * LINE_MOST + b"2\n" + rows(70)
        assert whole(data).skipped()["line too long"] == (1, (before + 3,))


@pytest.mark.parametrize("row", [
    GOOD, b"0\n", b"\n", b"\t\n", b"05/01/26 10:00:00\t1,5\t2\n", b'"\n', b"31/02/26 10:00:00\t1\t2\n", b"\r",
])
def test_time_grows_with_the_size_only(whole, row):
    def cost(size: int) -> float:
        data, began = HEAD + ROWS + row * (size // len(row)), time.process_time()
        whole(data)
        return time.process_time() - began

    cost(1000)
    small = min(cost(10_000) for _ in range(2))
    assert cost(40_000) < max(small, 0.01) * 12


def test_a_batch_travels_as_bytes_and_as_a_pickle(whole):
    batch = whole(newer(rows(100))).batches[0]
    for again in (unpack(pack(batch)), pickle.loads(pickle.dumps(batch))):  # noqa: S301 (its own)
        assert isinstance(again, Batch) and again.header == batch.header and again.frame.equals(batch.frame)
        assert b"".join(again.lines()) == b"".join(batch.lines())


class Endless:
    """A stream that gives the same again and again, for so many bytes, between a beginning and an end."""

    def __init__(self, before: bytes, again: bytes, size: int, after: bytes) -> None:
        self.parts = [before] if before else []
        self.again, self.left, self.after, self.given = again, size, after, 0

    def read(self, size: int, /) -> bytes:
        if self.parts:
            part = self.parts.pop()
        elif self.left > 0:
            part = self.again
            self.left -= len(part)
        else:
            part, self.after = self.after, b""
        assert len(part) <= size or not self.parts
        if len(part) > size:
            self.parts.append(part[size:])
            part = part[:size]
        self.given += len(part)
        return part
