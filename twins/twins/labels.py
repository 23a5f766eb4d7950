"""The names of the classes: ImageNet-1k's, or a file's with one a line."""

import functools
from importlib import resources
from pathlib import Path

from twins import download
from twins.errors import RequestError
from twins.sources import AWS, Store

FIELD = "model.labels"


def load(uri: str | None, num_classes: int, cache: Path, *, store: Store = AWS) -> tuple[str, ...]:
    """The label of each class, by class id.

    Args:
        uri: a path, ``https://`` or ``s3://`` of a text file in UTF-8, one label a line; by default ImageNet-1k's.
        cache: the folder that downloads land in.
        store: where ``s3://`` is.

    Raises:
        RequestError: it cannot be had, is no text, or has another number of labels than ``num_classes``.
    """
    labels = imagenet() if uri is None else _read(uri, cache, store)
    if len(labels) != num_classes:
        problem = f"has {len(labels)} labels for {num_classes} classes"
        remedy = "Give a file with one label a line, as many as model.numClasses."
        raise RequestError(FIELD, uri or "ImageNet-1k (the default)", problem, remedy)
    return labels


@functools.cache
def imagenet() -> tuple[str, ...]:
    """ImageNet-1k's 1000 labels (ILSVRC 2012), in the order of the published networks' classes."""
    return _lines(resources.files("twins").joinpath("imagenet1k.txt").read_text("utf-8"))


def _read(uri: str, cache: Path, store: Store) -> tuple[str, ...]:
    if "://" in uri and not uri.startswith("file://"):
        origin = download.Origin(uri, FIELD, store=store)
        path = download.download(origin, cache).path
    else:
        path = download.local_path(uri)
    try:
        return _lines(path.read_text("utf-8"))
    except OSError as failure:
        raise RequestError(FIELD, uri, f"cannot be read ({failure.strerror})", "Check the path.") from failure
    except UnicodeDecodeError as failure:
        raise RequestError(FIELD, uri, "is no text in UTF-8", "Give a text file with one label a line.") from failure


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.removeprefix("\ufeff").splitlines() if line.strip())
