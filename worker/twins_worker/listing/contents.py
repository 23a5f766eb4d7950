"""What an object of the input holds: an image, the images of a tar, or a list of images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from twins_worker import settings
from twins_worker.fetch import Row
from twins_worker.listing import globs, manifest, tar
from twins_worker.listing.globs import Matches
from twins_worker.listing.skipped import Skipped
from twins_worker.listing.source import Source
from twins_worker.storage import Object, split

Kind = Literal["image", "tar", "manifest", "other"]
Entry = Row | Skipped


@dataclass(frozen=True)
class Contents:
    """Rows of a source's objects, as ``input.format``, ``include`` and ``exclude`` want them."""

    where: Source
    output: str
    """The URI below which nothing is input."""
    format: Literal["auto", "images", "tar", "manifest"]
    include: Matches | None
    exclude: Matches | None

    @classmethod
    def of(cls, asked: settings.Input, where: Source, output: str) -> "Contents":
        include = globs.any_of(asked.include, field="input.include") if asked.include else None
        exclude = globs.any_of(asked.exclude, field="input.exclude") if asked.exclude else None
        return cls(where, output, asked.format, include, exclude)

    def kind(self, found: Object) -> Kind:
        """By its name; one object that the URI names is what ``input.format`` says, whatever its name."""
        name, single = found.key.lower(), self.where.single is not None
        is_tar, is_manifest = name.endswith((".tar", *tar.SUFFIXES)), name.endswith(manifest.SUFFIXES)
        match self.format:
            case "images":
                return "image"
            case "tar":
                return "tar" if single or is_tar else "other"
            case "manifest":
                return "manifest" if single or is_manifest else "other"
        if is_tar and (single or name.endswith(".tar")):
            return "tar"
        return "manifest" if single and is_manifest else "image"

    def image(self, found: Object) -> Entry:
        """The object itself."""
        uri = self.where.place.uri(found.key)
        if uri.startswith(self.output):
            return Skipped.OUTPUT
        if self.where.single is None and _is_hidden(found.key):
            return Skipped.HIDDEN
        return Skipped.FILTERED if self._leaves_out(found.key) else Row(uri, None, None, found.bytes, found.etag)

    def members(self, found: Object) -> Iterator[Entry]:
        """The members of a tar: those that are images by their suffix, or what ``include`` says of their names.

        Raises:
            RequestError: as ``tar.members``.
        """
        uri = self.where.place.uri(found.key)
        if uri.startswith(self.output):
            yield Skipped.OUTPUT
        elif self.where.single is None and _is_hidden(found.key):
            yield Skipped.HIDDEN
        elif self.exclude is not None and self.exclude(found.key):
            yield Skipped.FILTERED
        else:
            for member in tar.members(self.where.place, found):
                yield self._member(uri, found.etag, member)

    def rows(self, found: Object) -> Iterator[Entry]:
        """The rows of a manifest: hidden names among them were asked for.

        Raises:
            RequestError: as ``manifest.rows``.
        """
        for row in manifest.rows(self.where.place, found):
            yield Skipped.FILTERED if self._leaves_out_row(row) else row

    def _member(self, uri: str, etag: str | None, member: tar.Member | Skipped) -> Entry:
        if isinstance(member, Skipped):
            return member
        if _is_hidden(member.name):
            return Skipped.HIDDEN
        wanted = self.include or _is_image
        if not wanted(member.name) or (self.exclude is not None and self.exclude(member.name)):
            return Skipped.FILTERED
        return Row(f"{uri}#{member.name}", uri, member.offset, member.bytes, etag)

    def _leaves_out(self, key: str) -> bool:
        return (self.include is not None and not self.include(key)) or (self.exclude is not None and self.exclude(key))

    def _leaves_out_row(self, row: Row) -> bool:
        return (self.include is not None or self.exclude is not None) and self._leaves_out(split(row.uri)[1])


def _is_hidden(key: str) -> bool:
    """Spark's and Hive's rule: what starts with a dot or an underscore is somebody's bookkeeping."""
    return key[:1] in {".", "_"} or "/." in key or "/_" in key


def _is_image(name: str) -> bool:
    return name.lower().endswith(tar.IMAGES)
