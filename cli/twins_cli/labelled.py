"""Pictures with their classes: a folder a class, or a list of ``path label`` lines."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from twins.errors import RequestError

if TYPE_CHECKING:
    from twins_worker.settings import Storage

Truth = Mapping[str, int]
"""Class id by URI."""


def read(uri: str, storage: "Storage") -> Truth:
    """The classes of the pictures at ``uri``: a list file if it ends in ``.txt``, else a folder of folders.

    Raises:
        RequestError: a line cannot be read, or there is no picture in a folder.
    """
    return _listed(uri, storage) if uri.endswith(".txt") else _in_folders(uri, storage)


def _in_folders(uri: str, storage: "Storage") -> Truth:
    """Classes are numbered in the order of the folders' names, as ImageNet's synsets are."""
    from twins_worker.storage import open_place

    place = open_place(uri, storage, field="IN")
    keys = [found.key for found in place.list() if "/" in found.key]
    if not keys:
        raise RequestError("IN", uri, "holds no folder with pictures", "Give a folder a class, or a list file (.txt).")
    classes = {name: number for number, name in enumerate(sorted({key.split("/", 1)[0] for key in keys}))}
    return {place.uri(key): classes[key.split("/", 1)[0]] for key in keys}


def _listed(uri: str, storage: "Storage") -> Truth:
    """``relative/path label`` a line, paths from the list's own folder on."""
    from twins_worker.storage import open_place

    folder, _, name = uri.rpartition("/")
    place = open_place(folder, storage, field="IN")
    lines = place.get(name).decode("utf-8", "surrogateescape").splitlines()
    return dict(_line(place.uri, line, number) for number, line in enumerate(lines, 1) if line.strip())


def _line(uri: Callable[[str], str], line: str, number: int) -> tuple[str, int]:
    path, _, label = line.rstrip().rpartition(" ")
    if not path or not label.isdecimal():
        raise RequestError("IN", line, f"is line {number} and no picture with its class", "Write: path/of/it.jpg 42")
    return path if "://" in path else uri(str(PurePosixPath(path.strip()))), int(label)
