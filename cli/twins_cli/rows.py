"""Rows of an output, read back."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twins_worker.settings import Job

Row = dict[str, Any]


def read(job: "Job", columns: list[str] | None = None) -> Iterator[Row]:
    """The rows of the job's output, which was committed, in the plan's order: that of the manifest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from twins_worker import manifest
    from twins_worker.storage import open_place

    output = open_place(job.output.uri, job.storage, field="output.uri")
    for file in manifest.read(output).files:
        yield from pq.read_table(pa.BufferReader(output.get(file.path, etag=file.etag)), columns=columns).to_pylist()


def first(job: "Job", count: int) -> list[Row]:
    """The first rows, to show."""
    return list(islice(read(job), count))
