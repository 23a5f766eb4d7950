"""A place on disk. Plain system calls: exact names, atomic writes, nothing half-written to be seen."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from twins_worker.storage.place import Changed, Forbidden, NotFound, Object, StorageError, TooLarge, Unavailable

STAGING = ".twins-"
"""How the name of a file starts while it is being written; a kill may leave one, and no listing shows it."""


@dataclass(frozen=True)
class Folder:
    """The files below ``path``. The etag of a file is its inode, time of change and size."""

    path: Path

    @property
    def root(self) -> str:
        return self.uri("")

    def below(self, folder: str) -> "Folder":
        return Folder(self.path / folder)

    def uri(self, key: str) -> str:
        return "file://" + quote(os.fsencode(os.path.join(self.path, key)))

    def list(self, prefix: str = "") -> Iterator[Object]:
        """As ``Place.list``, with the names of at most one directory a level in memory.

        Symbolic links are followed, but for one to a directory's own parent, which holds nothing that is not listed
        anyway. A dangling link is listed: it is an object that cannot be found. What is no regular file is not.
        """
        above, slash, start = prefix.rpartition("/")
        top = os.fsencode(self._path(above) if above else self.path)
        try:
            yield from _walk(top, above + slash, os.fsencode(start))
        except OSError as error:
            raise _failure(Folder(Path("/")).uri(os.fsdecode(error.filename)), error) from error

    def find(self, key: str) -> Object | None:
        try:
            with self._failures(key):
                status = os.stat(self._path(key))
        except NotFound:
            return None
        return Object(key, status.st_size, _etag(status)) if stat.S_ISREG(status.st_mode) else None

    def get(
        self, key: str, *, etag: str | None = None, range: tuple[int, int] | None = None, limit: int | None = None
    ) -> bytes:
        with self._failures(key):
            # A named pipe must not block the open; for regular files the flag means nothing.
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return self._read(key, descriptor, etag, range, limit)
            finally:
                os.close(descriptor)

    def put(self, key: str, data: bytes) -> None:
        with self._failures(key), _staged(self._path(key), data) as staging:
            staging.replace(self._path(key))

    def create(self, key: str, data: bytes) -> bool:
        with self._failures(key), _staged(self._path(key), data) as staging:
            try:
                self._path(key).hardlink_to(staging)  # unlike a rename, refuses to replace
            except FileExistsError:
                return False
        return True

    def _read(
        self, key: str, descriptor: int, etag: str | None, range: tuple[int, int] | None, limit: int | None
    ) -> bytes:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise NotFound(self.uri(key), "is no regular file")
        if etag is not None and _etag(before) != etag:
            raise Changed(self.uri(key), "has changed since it was listed")
        start, end = range or (0, before.st_size)
        if start > before.st_size:
            raise Changed(self.uri(key), f"ends before byte {start}")
        end = min(end, before.st_size)
        if limit is not None and end - start > limit:
            raise TooLarge(self.uri(key), f"has more than {limit} bytes")
        data = _pread(descriptor, start, end)
        if _etag(os.fstat(descriptor)) != _etag(before):
            raise Changed(self.uri(key), "changed while it was read")
        return data

    def _path(self, key: str) -> Path:
        """Where ``key`` lies; a key that names no single place below the root is one that nothing has."""
        if "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
            raise NotFound(self.uri(key), "is no name of a file: it has an empty, '.' or '..' part")
        return self.path / key

    @contextmanager
    def _failures(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _failure(self.uri(key), error) from error


def _failure(uri: str, error: OSError) -> StorageError:
    reason = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return NotFound(uri, reason)
    if isinstance(error, PermissionError):
        return Forbidden(uri, reason)
    return Unavailable(uri, reason)


@contextmanager
def _staged(path: Path, data: bytes) -> Iterator[Path]:
    """A whole, synced file beside ``path``, gone afterwards unless it was renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(STAGING + secrets.token_hex(8))
    try:
        with staging.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield staging
    finally:
        staging.unlink(missing_ok=True)


def _walk(top: bytes, key: str, start: bytes) -> Iterator[Object]:
    """The files below ``top`` whose names there start with ``start``; ``key`` is what all their keys begin with."""
    levels = [(top, key, _names(top, start))]
    while levels:
        directory, key, names = levels[-1]
        name = next(names, None)
        if name is None:
            levels.pop()
        elif not name.endswith(b"/"):
            yield from _file(os.path.join(directory, name), key + os.fsdecode(name))
        elif not _is_one_of(below := os.path.join(directory, name), levels):
            levels.append((below, key + os.fsdecode(name), _names(below, b"")))


def _is_one_of(directory: bytes, levels: list[tuple[bytes, str, Iterator[bytes]]]) -> bool:
    link = os.path.islink(directory.rstrip(b"/"))  # with its slash, it would be what it leads to
    return link and any(os.path.samefile(directory, parent) for parent, _, _ in levels)


def _names(directory: bytes, start: bytes) -> Iterator[bytes]:
    """The names in a directory, those of directories with a slash: sorted, they give the order of whole keys."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name + b"/" * _is_directory(entry) for entry in entries if entry.name.startswith(start)]
    except (FileNotFoundError, NotADirectoryError):
        return iter(())
    return iter(sorted(name for name in names if not name.startswith(STAGING.encode())))


def _is_directory(entry: "os.DirEntry[bytes]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle of links
        return False


def _file(path: bytes, key: str) -> Iterator[Object]:
    try:
        status = os.stat(path)
    except OSError:
        yield Object(key, None, None)
        return
    if stat.S_ISREG(status.st_mode):
        yield Object(key, status.st_size, _etag(status))


def _pread(descriptor: int, start: int, end: int) -> bytes:
    chunks = []
    while start < end and (chunk := os.pread(descriptor, end - start, start)):
        chunks.append(chunk)
        start += len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
