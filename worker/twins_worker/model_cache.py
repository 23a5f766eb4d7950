"""Exported models by key: folders on this machine, shared between machines through a prefix of an object store.

In the store a file is an object named by its SHA-256, and ``models/<key>.json`` lists a model's files. The list is
created last and by conditional put, so a reader sees a whole model of one builder or none.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from twins.download import sha256
from twins.errors import RequestError
from twins_worker.settings import Job
from twins_worker.storage import NotFound, Place, open_place, split


def local_root() -> Path:
    """``$TWINS_CACHE``, or ``twins`` in the user's cache folder (XDG Base Directory Specification)."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TWINS_CACHE") or user_cache / "twins")


@dataclass(frozen=True)
class ModelCache:
    """Models under ``local``, and under ``shared`` where there is one."""

    local: Path
    shared: Place | None = None

    def path(self, key: str) -> Path:
        return self.local / "models" / key

    def find(self, key: str) -> Path | None:
        """The folder of ``key``, fetched and verified where only the store has it; ``None`` where nobody has."""
        if not self.path(key).exists() and self.shared is not None:
            self._fetch(key, self.shared)
        return self.path(key) if self.path(key).exists() else None

    def build(self, key: str, make: Callable[[Path], None]) -> Path:
        """The folder of ``key``; where nobody has it, ``make`` creates the folder that it is told, seen when whole."""
        return self.find(key) or self._land(key, make)

    def share(self, key: str) -> None:
        """Publish the folder of ``key``, as it is now, unless somebody already did."""
        if self.shared is None or self.shared.find(_index(key)) is not None:
            return
        digests = {str(file.relative_to(self.path(key))): sha256(file) for file in _files(self.path(key))}
        for name, digest in digests.items():
            self.shared.create(f"blobs/{digest}", (self.path(key) / name).read_bytes())
        self.shared.create(_index(key), json.dumps(digests, sort_keys=True).encode())

    def _fetch(self, key: str, shared: Place) -> None:
        try:
            index = json.loads(shared.get(_index(key)))
        except NotFound:
            return
        self._land(key, lambda folder: _download(shared, index, folder))

    def _land(self, key: str, make: Callable[[Path], None]) -> Path:
        self.path(key).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.local, prefix="making-") as workspace:
            make(Path(workspace, "model"))
            _rename_unless_there(Path(workspace, "model"), self.path(key))
        return self.path(key)


def of_job(job: Job) -> ModelCache:
    """This machine's cache, shared through ``storage.cache``: by default ``.twins/cache/`` in the output's bucket.

    An output in a folder shares nothing: there is one machine.
    """
    if job.storage.cache is not None:
        return ModelCache(local_root(), open_place(job.storage.cache, job.storage, field="storage.cache"))
    root, _ = split(job.output.uri, field="output.uri")
    shared = None if root.startswith("file:") else open_place(f"{root}.twins/cache/", job.storage, field="output.uri")
    return ModelCache(local_root(), shared)


def _index(key: str) -> str:
    return f"models/{key}.json"


def _rename_unless_there(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:  # another process was faster: both made the same
        if not target.exists():
            raise


def _download(shared: Place, index: dict[str, str], folder: Path) -> None:
    folder.mkdir()
    for name, digest in index.items():
        data = shared.get(f"blobs/{digest}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise _corrupt(shared, f"holds blobs/{digest}, which is not what its name says")
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise _corrupt(shared, f"lists a file outside the model, {name}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _corrupt(shared: Place, problem: str) -> RequestError:
    return RequestError("storage.cache", shared.root, problem, "Find out who wrote it, delete it, and run again.")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
