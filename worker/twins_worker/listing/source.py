"""Which objects a URI means: one, those below a prefix, or those that a glob matches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from twins_worker import settings
from twins_worker.listing import globs
from twins_worker.storage import Object, Place, open_place, split


@dataclass(frozen=True)
class Source:
    """Objects with keys below ``place``."""

    place: Place
    single: Object | None = None
    """The one that the URI names, where it names one."""
    glob: str | None = None
    """Of the keys; all, if there is none."""

    def objects(self) -> Iterator[Object]:
        """In the order of the keys. The zero bytes that consoles write to show a folder (``a/``) are no object."""
        if self.single is not None:
            yield self.single
            return
        matches = globs.matcher(self.glob, field="input.uri") if self.glob else None
        for found in self.place.list(globs.literal_start(self.glob or "")):
            is_folder = found.key[-1:] in {"", "/"} and found.bytes == 0
            if not is_folder and (matches is None or matches(found.key)):
                yield found


def source(asked: settings.Input, storage: settings.Storage) -> Source:
    """What ``asked.uri`` means. What is literally called so comes before a glob; one object before a prefix.

    Raises:
        RequestError: a URI of no place here.
        StorageError: the place cannot be looked at.
    """
    root, key = split(asked.uri, field="input.uri")
    whole = open_place(root, storage, field="input.uri")
    if key and not key.endswith("/") and (single := whole.find(key)) is not None:
        return _named(whole, single)
    if globs.has_wildcard(key):
        folder, _, _ = globs.literal_start(key).rpartition("/")
        glob = (key.removeprefix(f"{folder}/") if folder else key) + "**" * key.endswith("/")
        return Source(whole.below(folder) if folder else whole, glob=glob)
    return Source(whole.below(key.removesuffix("/")) if key else whole)


def _named(whole: Place, single: Object) -> Source:
    folder, _, name = single.key.rpartition("/")
    return Source(whole.below(folder) if folder else whole, single=replace(single, key=name))
