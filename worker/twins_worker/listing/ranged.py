"""An object as a file to seek in, read in blocks."""

import io
from typing import TYPE_CHECKING

from twins_worker.storage import Object, Place

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WHOLE_BYTES = 2**28
"""The most that is fetched of an object whose size is not known."""
BLOCK_BYTES = 2**18
"""About two images: a tar of images is read through in order, one of videos is skipped through."""


def opened(place: Place, found: Object) -> io.BufferedReader:
    """``found`` as it was listed, in blocks of ``BLOCK_BYTES``; reading raises as ``Place.get``.

    Where the size is not known (web servers do not always say), the object is fetched whole.
    """
    if found.bytes is None:
        return io.BufferedReader(io.BytesIO(place.get(found.key, etag=found.etag, limit=WHOLE_BYTES)))
    return io.BufferedReader(_Ranged(place, found.key, found.bytes, found.etag), BLOCK_BYTES)


class _Ranged(io.RawIOBase):
    """Each read is a request."""

    def __init__(self, place: Place, key: str, size: int, etag: str | None) -> None:
        super().__init__()
        self._place, self._key, self._size, self._etag = place, key, size, etag
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        end = min(self._position + len(view), self._size)
        if end <= self._position:
            return 0
        data = self._place.get(self._key, etag=self._etag, range=(self._position, end))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
