"""What a place with objects is: keys in, bytes out, and the few ways in which that fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a listing."""

    key: str
    """Below the place's root; for files on disk, bytes that are not UTF-8 are surrogates as in ``os.fsdecode``."""
    bytes: int | None
    etag: str | None
    """Changes when the content does; without the quotes of HTTP."""


class StorageError(Exception):
    """Why an object could not be had. ``uri`` names it, ``reason`` is one line without secrets or request ids."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(uri, reason)
        self.uri, self.reason = uri, reason

    def __str__(self) -> str:
        return f"{self.uri}: {self.reason}"


class NotFound(StorageError):
    """There is no such object (or no such bucket: the reason says so)."""


class Changed(StorageError):
    """The object is no longer the one whose etag was asked for."""


class Forbidden(StorageError):
    """The credentials, or the lack of them, do not allow it."""


class Unavailable(StorageError):
    """The storage does not answer, or answers that it cannot now. Worth trying again later."""


class TooLarge(StorageError):
    """The object has more bytes than were asked for at most."""


class Place(Protocol):
    """A folder or the part of a bucket below a prefix. Every method raises only the errors above.

    Safe to share among threads.
    """

    @property
    def root(self) -> str:
        """The URI of the place, ending in ``/``."""
        ...

    def below(self, folder: str) -> "Place":
        """The part of this place whose keys start with ``folder`` and a slash."""
        ...

    def uri(self, key: str) -> str:
        """The object's URI, as a reader writes it. ``storage.split`` takes it apart again, exactly."""
        ...

    def list(self, prefix: str = "") -> Iterator[Object]:
        """The objects whose keys start with ``prefix``, streamed in the order of the keys' UTF-8 bytes, as S3 lists."""
        ...

    def find(self, key: str) -> Object | None:
        """The object of exactly that key, without reading it; ``None`` where there is none."""
        ...

    def get(
        self, key: str, *, etag: str | None = None, range: tuple[int, int] | None = None, limit: int | None = None
    ) -> bytes:
        """The object's bytes, or those of ``range`` (from, up to but without), less where it ends before.

        Raises:
            Changed: ``etag`` was given and the object has another, or it is shorter than where ``range`` starts.
            TooLarge: there are more than ``limit``; no more than about that many were taken into memory.
        """
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write the object, whole or not at all, whatever was there."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Write the object unless it is there; ``False`` when it was. Of several at once, one is told ``True``."""
        ...
