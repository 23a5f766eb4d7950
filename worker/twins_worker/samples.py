"""A few failed images of an output, to be shown to a person: of each code some, from a bounded number of parts."""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

import pyarrow.parquet as pq

from twins_worker.failures import Failure
from twins_worker.fetch import Fetch, Row
from twins_worker.footers import Footer
from twins_worker.report import FailedImage
from twins_worker.storage import Place, StorageError, shown_uri
from twins_worker.streams import ordered_map

PARTS = 4
PER_CODE = 3
THREADS = 16
PICTURED_BYTES = 8 * 2**20
"""Larger files are named, and not fetched to be pictured."""

PlannedRows = Callable[[Footer], Sequence[Row]]
"""The rows of the plan that a part is made from."""


def failures(output: Place, footers: Sequence[Footer], planned: PlannedRows, fetch: Fetch) -> tuple[FailedImage, ...]:
    """At most ``PER_CODE`` of each code, from the first ``PARTS`` parts that have any."""
    chosen = tuple(_chosen(output, footers, planned))
    files = ordered_map(partial(_data, fetch), (row for row, _, _ in chosen), threads=THREADS, ahead=THREADS)
    return tuple(
        FailedImage(shown_uri(row.uri), code, detail, data)
        for (row, code, detail), data in zip(chosen, files, strict=True)
    )


def _chosen(output: Place, footers: Sequence[Footer], planned: PlannedRows) -> Iterator[tuple[Row, str, str]]:
    counts: Counter[str] = Counter()
    failing = (footer for footer in footers if footer.figures.failed)
    for footer in islice(failing, PARTS):
        for row, code, detail in _failed(output, footer, planned(footer)):
            counts[code] += 1
            if counts[code] <= PER_CODE:
                yield row, code, detail


def _failed(output: Place, footer: Footer, planned: Sequence[Row]) -> Iterator[tuple[Row, str, str]]:
    data = io.BytesIO(output.get(footer.file.key, etag=footer.file.etag))
    rows = pq.read_table(data, columns=["error", "error_detail"])
    for row, code, detail in zip(planned, rows["error"].to_pylist(), rows["error_detail"].to_pylist(), strict=True):
        if code is not None:
            yield row, code, detail


def _data(fetch: Fetch, row: Row) -> bytes | None:
    """The file, where it can be had; the report does without those that cannot."""
    if row.bytes is None or row.bytes > PICTURED_BYTES:
        return None
    try:
        data = fetch(row)
    except StorageError:
        return None
    return None if isinstance(data, Failure) else data
