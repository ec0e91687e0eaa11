"""A batch as bytes and back, for the way from a process that reads to one that stores. Pure.

The header as JSON behind its length, then the columns as an Arrow stream, which other programs read too.
"""

from io import BytesIO
from typing import Final

import msgspec
import polars as pl

from belvedere.intake.meters.model import Batch, Header

_LENGTH: Final = 8


def pack(batch: Batch) -> bytes:
    """Return a batch as bytes."""
    header = msgspec.json.encode(batch.header)
    columns = BytesIO()
    batch.frame.write_ipc_stream(columns)
    return b"".join([len(header).to_bytes(_LENGTH, "big"), header, columns.getvalue()])


def unpack(data: bytes) -> Batch:
    """Return the batch that `pack` made these bytes of."""
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
    header = msgspec.json.decode(data[_LENGTH:end], type=Header)
    return Batch(header, pl.read_ipc_stream(BytesIO(memoryview(data)[end:])))
