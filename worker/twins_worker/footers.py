"""What the parts of an output say of themselves, from the ends of their files."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from twins_worker import parts
from twins_worker.figures import Figures, Lineage
from twins_worker.storage import Object, Place
from twins_worker.streams import ordered_map
from twins_worker.termination import DataError

THREADS = 16
TAIL_BYTES = 64 * 2**10
"""Read at once; a longer footer takes a second request."""
TRAILER_BYTES = 8
"""A Parquet file ends in its footer, the footer's length in four bytes, and ``PAR1``."""

_CLASSES = TypeAdapter(dict[int, int])


@dataclass(frozen=True)
class Footer:
    """One part's."""

    file: Object
    rows: int
    lineage: Lineage
    figures: Figures
    classes: dict[int, int]
    """Images by best class."""


def read(output: Place, files: Iterable[Object]) -> Generator[Footer, None, None]:
    """The footers of ``files``, in order, by ranged reads in threads.

    Raises:
        Changed: a file is not the one that was listed.
        DataError: a file is no part.
    """
    return ordered_map(partial(_footer, output), files, threads=THREADS, ahead=2 * THREADS)


def _footer(output: Place, file: Object) -> Footer:
    try:
        metadata = pq.read_metadata(pa.BufferReader(_end(output, file)))
        told = metadata.metadata or {}
        return Footer(
            file=file,
            rows=metadata.num_rows,
            lineage=Lineage.model_validate_json(told[parts.LINEAGE.encode()]),
            figures=Figures.model_validate_json(told[parts.FIGURES.encode()]),
            classes=_CLASSES.validate_json(told[parts.CLASSES.encode()]),
        )
    except (pa.ArrowInvalid, KeyError, ValidationError) as error:
        raise DataError("PartsDiffer", f"{file.key} is no part: {error}") from error


def _end(output: Place, file: Object) -> bytes:
    """The file from its footer on. Positions in a footer are from the file's start, but none of them is followed."""
    size = file.bytes or 0
    tail = output.get(file.key, etag=file.etag, range=(max(size - TAIL_BYTES, 0), size))
    needed = int.from_bytes(tail[-TRAILER_BYTES:-4], "little") + TRAILER_BYTES
    if needed <= len(tail):
        return tail
    return output.get(file.key, etag=file.etag, range=(max(size - needed, 0), size))
