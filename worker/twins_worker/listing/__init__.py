"""From ``spec.input`` to rows of images: what lies there, in an order that is the same every time, as a stream.

Every object is a row, whatever it turns out to be, but for those that ``Skipped`` names. Memory does not grow with
what is listed.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby

from twins.errors import RequestError
from twins_worker import settings
from twins_worker.fetch import Row
from twins_worker.listing import earlier, source
from twins_worker.listing.contents import Contents, Entry, Kind
from twins_worker.listing.skipped import Skipped
from twins_worker.storage import Forbidden, NotFound, Object, TooLarge, open_place, shown_uri
from twins_worker.streams import ordered_map

__all__ = ["Row", "Skipped", "entries", "images"]

TAR_THREADS = 8
"""Tars whose headers are read at a time: each waits for the storage most of the time."""


def images(job: settings.Job) -> Iterator[Row]:
    """The images of the input as ``entries`` has them, whatever an earlier output has of them."""
    found = _found(job, _output(job))
    return (entry for entry in _limited(found, job.input.limit) if isinstance(entry, Row))


def entries(job: settings.Job, *, same_model: bool = False) -> Iterator[Entry]:
    """The images of ``job``, in order, at most ``input.limit``, and what was passed over between them.

    ``same_model`` is for looking ahead: as in ``earlier.verdict``.

    Raises:
        RequestError: the input cannot work as it is named; the message says what to do.
        Unavailable: the storage is away for now.
    """
    passed_over = earlier.verdict(job, same_model=same_model)
    found = _found(job, _output(job))
    chosen = (entry if isinstance(entry, Skipped) else passed_over(entry) or entry for entry in found)
    yield from _limited(chosen, job.input.limit)


def _output(job: settings.Job) -> str:
    return open_place(job.output.uri, job.storage, field="output.uri").root


def _limited(found: Iterable[Entry], limit: int | None) -> Iterator[Entry]:
    left = limit
    for entry in found:
        yield entry
        if left is not None and isinstance(entry, Row):
            left -= 1
            if left == 0:
                return


def _found(job: settings.Job, output: str) -> Iterator[Entry]:
    """Objects, expanded by their kind; tars that follow each other are looked into several at a time."""
    try:
        where = source.source(job.input, job.storage)
        contents = Contents.of(job.input, where, output)
        for kind, objects in groupby(where.objects(), key=contents.kind):
            yield from _expanded(contents, kind, objects)
    except (Forbidden, NotFound, TooLarge) as error:
        remedy = "Check the name, and that the credentials may list and read it."
        raise RequestError("input.uri", shown_uri(job.input.uri), f"cannot be read: {error}", remedy) from error


def _indexed(contents: Contents, tars: Iterable[Object]) -> Iterable[Iterable[Entry]]:
    """The members of each tar: of the one that the URI names as they are found, of many in lists, several at a time."""
    if contents.where.single is not None:
        return map(contents.members, tars)
    return ordered_map(lambda found: list(contents.members(found)), tars, threads=TAR_THREADS, ahead=2 * TAR_THREADS)


def _expanded(contents: Contents, kind: Kind, objects: Iterable[Object]) -> Iterable[Entry]:
    match kind:
        case "image":
            return map(contents.image, objects)
        case "tar":
            return chain.from_iterable(_indexed(contents, objects))
        case "manifest":
            return chain.from_iterable(map(contents.rows, objects))
        case "other":
            return (Skipped.NOT_ASKED for _ in objects)
