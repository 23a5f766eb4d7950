"""Where bytes are: folders, buckets and web servers, as one kind of place."""

import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore

from twins.errors import RequestError
from twins_worker import settings
from twins_worker.storage import bucket, s3, web
from twins_worker.storage.bucket import Bucket
from twins_worker.storage.folder import Folder
from twins_worker.storage.place import (
    Changed,
    Forbidden,
    NotFound,
    Object,
    Place,
    StorageError,
    TooLarge,
    Unavailable,
)
from twins_worker.storage.shown import shown_uri

__all__ = [
    "Changed",
    "Forbidden",
    "NotFound",
    "Object",
    "Place",
    "Reader",
    "StorageError",
    "TooLarge",
    "Unavailable",
    "open_place",
    "shown_uri",
    "split",
]

MAX_PLACES = 64
"""Buckets that a ``Reader`` keeps open."""
SCHEMES = "a path, file://, s3://, gs://, az:// or https://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def split(uri: str, *, field: str = "uri") -> tuple[str, str]:
    """Take a URI apart: the root of its bucket, server or disk, ending in ``/``, and the key there.

    Keys of buckets are verbatim (``s3://b/a%20b`` is the key ``a%20b``), ``file://`` is percent-encoded as its
    standard says, a plain path is neither and may be relative. ``field`` is what a refusal calls the URI.

    Raises:
        RequestError: a scheme that is not read here, or no name of a bucket.
    """
    scheme, colon, rest = uri.partition("://")
    if not colon:
        return "file:///", _absolute(uri, field)
    host, _, key = rest.partition("/")
    if scheme == "file":
        if host not in ("", "localhost"):
            raise RequestError(field, uri, f"names another host, {host!r}", "Write file:///path for a file here.")
        return "file:///", _absolute("/" + os.fsdecode(unquote_to_bytes(key)), field)
    if scheme == "pvc":
        raise RequestError(field, uri, "is a volume of a cluster", "Name the folder where it is mounted.")
    if scheme not in {"s3", "gs", "az", "https", "http"}:
        raise RequestError(field, shown_uri(uri), f"has a scheme, {scheme!r}, that is not known", f"Write {SCHEMES}.")
    if not host or (scheme not in web.SCHEMES and not _BUCKET.fullmatch(host)):
        raise RequestError(field, shown_uri(uri), "names no bucket", f"Write {scheme}://BUCKET/KEY.")
    return f"{scheme}://{host}/", key


def open_place(uri: str, storage: settings.Storage, *, field: str = "uri") -> Place:
    """The place at ``uri``: a folder, a bucket or the part of one below a prefix, a web server (read only).

    Raises:
        RequestError: as ``split``, or the environment does not say how to open it.
        StorageError: there are no credentials, or Amazon could not be asked for the bucket's region.
    """
    root, key = split(uri, field=field)
    scheme, _, host = root.removesuffix("/").partition("://")
    prefix = key.removesuffix("/") + "/" if key else ""
    match scheme:
        case "file":
            return Folder(Path("/", key))
        case "s3":
            return s3.open_bucket(host, prefix, storage)
        case "gs" | "az":
            return _open_bucket(root, prefix, uri, field)
        case _:
            return web.open_site(root + prefix, field)


def _open_bucket(root: str, prefix: str, uri: str, field: str) -> Bucket:
    """Of Google's or Azure's, with the credentials that obstore finds."""
    scheme, _, name = root.removesuffix("/").partition("://")
    client, retry = bucket.client_options(plain_http=False), bucket.retry_options()
    make = GCSStore if scheme == "gs" else AzureStore
    try:
        return Bucket(root, prefix, make(name, client_options=client, retry_config=retry))
    except BaseError as error:
        remedy = "Set it in the environment, as AZURE_STORAGE_ACCOUNT_NAME or GOOGLE_APPLICATION_CREDENTIALS."
        raise RequestError(field, uri, f"cannot be opened: {bucket.told(error)}", remedy) from error


@dataclass(frozen=True)
class Reader:
    """Reads objects by URI, wherever they are. A bucket stays open, unless there are very many."""

    storage: settings.Storage
    _places: dict[str, Place] = field(default_factory=dict, compare=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def get(
        self, uri: str, *, etag: str | None = None, range: tuple[int, int] | None = None, limit: int | None = None
    ) -> bytes:
        """As ``Place.get``.

        Raises:
            RequestError: as ``split``.
        """
        root, key = split(uri)
        return self._place(root).get(key, etag=etag, range=range, limit=limit)

    def _place(self, root: str) -> Place:
        if root.startswith("http"):  # opening one costs nothing, and a manifest may name millions
            return open_place(root, self.storage)
        with self._opening:
            if root not in self._places:
                if len(self._places) >= MAX_PLACES:
                    del self._places[next(iter(self._places))]
                self._places[root] = open_place(root, self.storage)
            return self._places[root]


def _absolute(path: str, field: str) -> str:
    if not path or "\0" in path:
        raise RequestError(field, path, "names no file", "Write a path.")
    return os.path.abspath(path).lstrip("/")  # noqa: PTH100 - takes out '..' as every tool does, without the disk
