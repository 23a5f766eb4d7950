"""From a row of the plan to the bytes of its image, or to why there are none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from twins.errors import RequestError
from twins_worker import settings
from twins_worker.failures import Failure, failure
from twins_worker.storage import Changed, Forbidden, NotFound, Reader, StorageError, TooLarge, Unavailable

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


class Fetch(Protocol):
    """Reads an image's bytes; to be called from many threads."""

    def __call__(self, row: Row, limit: int = MAX_BYTES) -> bytes | Failure:
        """As many bytes as were planned; at most ``limit`` where the plan does not say how many.

        Raises:
            Unavailable: the input's storage is away. What is wrong with one image, or its own server, is a failure.
        """
        ...


def fetcher(storage: settings.Storage) -> Fetch:
    """Reads from wherever a row points."""
    reader = Reader(storage)

    def fetch(row: Row, limit: int = MAX_BYTES) -> bytes | Failure:
        if row.bytes is not None and row.bytes > MAX_BYTES:
            return failure("too_large", f"{row.bytes} bytes; the limit is {MAX_BYTES}")
        try:
            return _checked(row, _read(reader, row, limit))
        except RequestError as error:  # a manifest may name anything
            return failure("unsupported", error.problem)
        except StorageError as error:
            code = _code(row, error)
            if code is None:
                raise
            return failure(code, error.reason)

    return fetch


def _code(row: Row, error: StorageError) -> str | None:
    """What is wrong with the image; ``None``: nothing that is known, its storage is away."""
    match error:
        case Unavailable():
            return "unreachable" if _has_its_own_server(row) else None
        case TooLarge() if row.bytes is not None:
            return "changed"
        case _:
            return _CODES[type(error)]


_CODES = {NotFound: "not_found", Changed: "changed", Forbidden: "forbidden", TooLarge: "too_large"}


def _has_its_own_server(row: Row) -> bool:
    """An image on the web; what is in a bucket or a tar comes from where everything comes from."""
    return row.object is None and row.uri.startswith(("http://", "https://"))


def _read(reader: Reader, row: Row, limit: int) -> bytes:
    """What is planned is never exceeded: how much memory a row takes is known before it is fetched."""
    span = None if row.offset is None else (row.offset, row.offset + (row.bytes or 0))
    return reader.get(row.object or row.uri, etag=row.etag, range=span, limit=limit if row.bytes is None else row.bytes)


def _checked(row: Row, data: bytes) -> bytes | Failure:
    """``data``, if it is what was planned: what broke off on its way raised already."""
    if row.bytes is None or len(data) == row.bytes:
        return data
    return failure("changed", f"has {len(data)} bytes; {row.bytes} were planned")
