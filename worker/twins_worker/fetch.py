"""From a row of the plan to the bytes of its image, or to why there are none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from twins.errors import RequestError
from twins_worker import settings
from twins_worker.failures import Failure, failure
from twins_worker.storage import Changed, Forbidden, NotFound, Reader, Unavailable

MAX_BYTES = 128 * 2**20
"""Larger objects are refused before they are fetched: a 102-megapixel photograph has 60 MB as JPEG, 90 MB as PNG."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of the plan (``schema.PLAN``)."""

    uri: str
    object: str | None
    """The object to fetch where it is not ``uri``: the tar that holds the member."""
    offset: int | None
    """Where in ``object`` the image's bytes start."""
    bytes: int | None
    etag: str | None


def rows_from(planned: pa.Table) -> Iterator[Row]:
    """The rows of a table of the plan, one by one."""
    return map(Row, *(planned[name].to_pylist() for name in ("uri", "object", "offset", "bytes", "etag")))


Fetch = Callable[[Row], bytes | Failure]


def fetcher(storage: settings.Storage) -> Fetch:
    """A function that reads an image's bytes; to be called from many threads.

    It raises ``Unavailable`` where the storage is, and returns a failure for what is wrong with one image.
    """
    reader = Reader(storage)

    def fetch(row: Row) -> bytes | Failure:
        if row.bytes is not None and row.bytes > MAX_BYTES:
            return too_large(row.bytes)
        try:
            return _checked(row, _read(reader, row))
        except NotFound as error:
            return failure("not_found", error.reason)
        except Changed as error:
            return failure("changed", error.reason)
        except Forbidden as error:
            return failure("forbidden", error.reason)
        except RequestError as error:  # a manifest may name anything
            return failure("unsupported", error.problem)

    return fetch


def too_large(size: int) -> Failure:
    return failure("too_large", f"{size} bytes; the limit is {MAX_BYTES}")


def _read(reader: Reader, row: Row) -> bytes:
    span = None if row.offset is None else (row.offset, row.offset + (row.bytes or 0))
    return reader.get(row.object or row.uri, etag=row.etag, range=span)


def _checked(row: Row, data: bytes) -> bytes | Failure:
    """``data``, if it is what was planned: a size may differ only where no etag vouches for the object."""
    if len(data) > MAX_BYTES:
        return too_large(len(data))
    if row.bytes is None or len(data) == row.bytes:
        return data
    if row.etag is None:
        return failure("changed", f"has {len(data)} bytes; {row.bytes} were planned")
    raise Unavailable(row.uri, f"sent {len(data)} bytes of {row.bytes}")
