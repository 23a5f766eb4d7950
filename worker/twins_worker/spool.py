"""Planned rows on this machine's disk: there are more than its memory may hold, and how many shows at the end."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from twins_worker import schema
from twins_worker.fetch import Row
from twins_worker.listing import Skipped
from twins_worker.streams import batched

BATCH_ROWS = 8192
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass(frozen=True)
class Spooled:
    """What was written."""

    images: int
    members: int
    """Images that are members of tars."""
    skipped: Counter[Skipped]
    digest: str
    """SHA-256 of all rows, in order, in hex."""


def write(
    file: BinaryIO, entries: Iterable[Row | Skipped], *, on_listed: Callable[[int], None] = lambda _: None
) -> Spooled:
    """Write the rows among ``entries`` to ``file``, a batch at a time; ``on_listed`` is told how many so far."""
    skipped: Counter[Skipped] = Counter()
    digest, images, members = hashlib.sha256(), 0, 0
    with pa.ipc.new_stream(file, schema.PLAN, options=_COMPRESSED) as stream:
        for rows in batched(_rows(entries, skipped), BATCH_ROWS):
            columns = [[getattr(row, name) for row in rows] for name in schema.PLAN.names]
            digest.update(json.dumps(columns).encode())
            stream.write_batch(pa.record_batch(columns, schema=schema.PLAN))
            images += len(rows)
            members += sum(row.object is not None for row in rows)
            on_listed(images)
    return Spooled(images, members, skipped, digest.hexdigest())


def tables(file: BinaryIO, rows: int) -> Iterator[pa.Table]:
    """What ``write`` wrote, ``rows`` at a time; the last may have fewer."""
    file.seek(0)
    held = schema.PLAN.empty_table()
    for batch in pa.ipc.open_stream(file):
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while held.num_rows >= rows:
            yield held.slice(0, rows)
            held = held.slice(rows)
    if held.num_rows:
        yield held


def _rows(entries: Iterable[Row | Skipped], skipped: Counter[Skipped]) -> Iterator[Row]:
    for entry in entries:
        if isinstance(entry, Skipped):
            skipped[entry] += 1
        else:
            yield entry
