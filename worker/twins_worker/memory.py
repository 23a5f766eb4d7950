"""Memory that decoders share: a small file may be a large picture, and several large ones at once are too many."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twins import image_header
from twins.image_header import Undecodable
from twins.preprocess import MAX_PIXELS

MEMORY_MAX = Path("/sys/fs/cgroup/memory.max")
"""Where cgroup v2 keeps the memory limit of a container."""
PIXEL_BYTES = 12
"""The most that reading a picture was seen to hold, a pixel: animated PNG 12, progressive JPEG 9 (in CMYK 11: its
coefficients, then the picture), GIF 8, all else, turned upright or not, 6 to 7. A buffer that a header asks for comes
on top.
"""
LARGEST_BYTES = (PIXEL_BYTES + 4) * MAX_PIXELS
"""Of a picture at the limit of pixels, and the largest buffer that is admitted."""


def limit() -> int | None:
    """Bytes that this container may use; ``None``: as many as there are."""
    return limit_from(MEMORY_MAX.read_text()) if MEMORY_MAX.is_file() else None


def limit_from(memory_max: str) -> int | None:
    """Bytes that ``memory.max`` (a number or ``max``) grants; ``None``: no limit."""
    return None if memory_max.strip() == "max" else int(memory_max)


def decoding_bytes(data: bytes) -> int:
    """The most that reading this file's picture takes, by its header; none for what gives no picture."""
    try:
        header = image_header.read(data)
    except Undecodable:
        return 0
    return min(PIXEL_BYTES * header.width * header.height + header.buffer_bytes, LARGEST_BYTES)


class Room:
    """Bytes that threads share. Who asks for more than there are in all takes all of them."""

    def __init__(self, size_bytes: int) -> None:
        self._size = self._free = size_bytes
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size_bytes: int) -> Iterator[None]:
        """Within, so many bytes are the caller's; it waits until they are free. Not to be nested."""
        size = min(size_bytes, self._size)
        with self._changed:
            self._changed.wait_for(lambda: size <= self._free)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()
