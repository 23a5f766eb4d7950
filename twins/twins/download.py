"""Bring a file from ``https://`` or ``s3://`` into the cache, once, whole and verified.

In the cache, ``NAME`` appears by rename when all of it is there; ``NAME.part`` is what a cut connection left and the
next try goes on from; ``NAME.json`` records the digest that later downloads of the same address are held to (trust on
first use); ``NAME.lock`` is held while a process downloads, so that a second one waits and finds the file.
"""

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from twins import sources
from twins.errors import RequestError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and, where known, the bytes of all."""


@dataclass(frozen=True)
class Downloaded:
    """A file in the cache."""

    path: Path
    digest: str
    """SHA-256 of its content, in hex."""


@dataclass(frozen=True)
class Patience:
    """How often to try again without having received anything, and how long to wait before it."""

    attempts: int = 6
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 16

    def pause_seconds(self, failures: int) -> float:
        return float(min(self.first_pause_seconds * 2 ** (failures - 1), self.longest_pause_seconds))


@dataclass(frozen=True)
class Origin:
    """What to download, and what to say where it fails."""

    uri: str
    field: str = "model.weights"
    """Where the person wrote the address."""
    digest: str | None = None
    """SHA-256 that the content must have, in hex; by default the one recorded at the first download."""
    store: sources.Store = sources.AWS

    @property
    def shown(self) -> str:
        """The address without what may be a signature."""
        return self.uri.partition("?")[0]

    @property
    def file_name(self) -> str:
        """Names the address, whole, and can be read by a person."""
        return f"{hashlib.sha256(self.uri.encode()).hexdigest()[:16]}-{PurePosixPath(urlsplit(self.uri).path).name}"


def download(
    origin: Origin, cache: Path, *, progress: Progress | None = None, patience: Patience = Patience()
) -> Downloaded:
    """The file of ``origin``, from the cache where it is there.

    Raises:
        RequestError: it is not there, may not be read, cannot be reached, or is not what its digest says.
    """
    place = cache / origin.file_name
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        expected = origin.digest or _recorded(place)
        here = sha256(place) if place.exists() else None
        if here and here == expected:
            return Downloaded(place, here)
        return _land(origin, place, expected, progress or _silent, patience)


def _land(origin: Origin, place: Path, expected: str | None, progress: Progress, patience: Patience) -> Downloaded:
    part = place.with_name(place.name + ".part")
    _receive(origin, part, progress, patience)
    digest = sha256(part)
    if expected not in (None, digest):
        part.unlink()
        raise RequestError(
            origin.field, origin.shown, f"has SHA-256 {digest}, not {expected}", _other_content(origin, place)
        )
    _record(place, origin, digest)
    part.rename(place)
    return Downloaded(place, digest)


def _other_content(origin: Origin, place: Path) -> str:
    if origin.digest:
        return "Check the digest and the address."
    return f"It changed since it was first downloaded. If that is right, remove {_record_path(place)}."


def _receive(origin: Origin, part: Path, progress: Progress, patience: Patience) -> None:
    """All of it into ``part``, going on where a connection was cut."""
    source, failures = sources.source(origin.uri, origin.store), 0
    while True:
        before = _length(part)
        try:
            return _receive_once(source, part, progress)
        except sources.Refused as refusal:
            raise RequestError(origin.field, origin.shown, refusal.problem, f"{refusal.remedy} {WAY_OUT}") from refusal
        except sources.Interrupted as interruption:
            failures = 1 if _length(part) > before else failures + 1
            if failures >= patience.attempts:
                raise _unreachable(origin, interruption) from interruption
        time.sleep(patience.pause_seconds(failures))


WAY_OUT = "Or name a local file, or random:0 to try without trained weights."


def _unreachable(origin: Origin, interruption: Exception) -> RequestError:
    return RequestError(
        origin.field, origin.shown, f"cannot be reached ({interruption})", f"Check the network. {WAY_OUT}"
    )


def _receive_once(source: sources.Source, part: Path, progress: Progress) -> None:
    tag = part.with_name(part.name + ".etag")
    etag = tag.read_text() if tag.exists() else None
    try:
        with source.open(_length(part) if etag else 0, etag) as body, part.open("r+b" if body.start else "wb") as file:
            _note(tag, body.etag)
            file.seek(body.start)
            file.truncate()
            for chunk in body.chunks:
                file.write(chunk)
                progress(file.tell(), body.size)
            if body.size not in (None, file.tell()):
                raise sources.Interrupted(f"got {file.tell()} of {body.size} bytes")
    except sources.Restart:
        part.unlink(missing_ok=True)
        raise
    tag.unlink(missing_ok=True)


def _note(tag: Path, etag: str | None) -> None:
    """What may be resumed, and by which tag; without one a cut download begins anew."""
    if etag:
        tag.write_text(etag)
    else:
        tag.unlink(missing_ok=True)


@contextmanager
def _alone(place: Path) -> Generator[None, None, None]:
    """One process at a time; the lock ends with the process, however that ends."""
    with place.with_name(place.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _record_path(place: Path) -> Path:
    return place.with_name(place.name + ".json")


def _recorded(place: Path) -> str | None:
    try:
        return str(json.loads(_record_path(place).read_text())["sha256"])
    except FileNotFoundError:
        return None


def _record(place: Path, origin: Origin, digest: str) -> None:
    new = place.with_name(place.name + ".json.new")
    new.write_text(json.dumps({"uri": origin.shown, "sha256": digest}, indent=1) + "\n")
    new.rename(_record_path(place))


def local_path(uri: str) -> Path:
    """The path that a path or ``file://`` names: percent-encoded in the latter, verbatim in the former."""
    encoded = uri.removeprefix("file://")
    return Path(encoded).expanduser() if encoded == uri else Path(unquote(encoded))


def sha256(path: Path) -> str:
    """Of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _silent(_here: int, _all: int | None) -> None:
    pass
