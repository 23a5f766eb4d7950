"""Objects on a web server: read only, by their URL."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from twins_worker.storage import patience
from twins_worker.storage.place import Changed, Forbidden, NotFound, Object, StorageError, Unavailable


def _pool() -> urllib3.PoolManager:
    retries = urllib3.Retry(
        4, redirect=5, backoff_factor=0.2, backoff_max=5, status_forcelist={429, 500, 502, 503, 504}
    )
    timeout = urllib3.Timeout(connect=patience.CONNECT_SECONDS, read=patience.STALL_SECONDS)
    return urllib3.PoolManager(maxsize=32, retries=retries, timeout=timeout)


@dataclass(frozen=True)
class Site:
    """What is below ``root``. A key is the rest of a URL as it is written there: escapes, query and all."""

    root: str
    pool: urllib3.PoolManager = field(default_factory=_pool, compare=False)

    def below(self, folder: str) -> "Site":
        return replace(self, root=f"{self.root}{folder}/")

    def uri(self, key: str) -> str:
        return self.root + key

    def list(self, prefix: str = "") -> Iterator[Object]:
        raise Forbidden(self.uri(prefix), "a web server cannot be listed: name its objects in a manifest")

    def find(self, key: str) -> Object | None:
        """Not asked for: a signed URL is good for one method, so what is there shows when it is read."""
        return Object(key, None, None)

    def get(self, key: str, *, etag: str | None = None, range: tuple[int, int] | None = None) -> bytes:
        start, end = range or (0, None)
        if end is not None and start >= end:
            return b""
        headers = {"Range": f"bytes={start}-{end - 1}"} if end is not None else {}
        try:
            answer = self.pool.request("GET", self.uri(key), headers=headers)
        except (HTTPError, ValueError) as error:
            raise Unavailable(self._shown(key), _reason(error)) from error
        if answer.status not in {200, 206}:
            raise _failure(self._shown(key), answer.status)
        if etag is not None and answer.headers.get("ETag", "").strip('"') != etag:
            raise Changed(self._shown(key), "has changed since it was listed")
        return answer.data if answer.status == 206 else answer.data[start:end]

    def put(self, key: str, data: bytes) -> None:
        raise Forbidden(self.uri(key), "a web server cannot be written to")

    def create(self, key: str, data: bytes) -> bool:
        raise Forbidden(self.uri(key), "a web server cannot be written to")

    def _shown(self, key: str) -> str:
        """The URL without its query, where signatures are."""
        return urlsplit(self.uri(key))._replace(query="").geturl()


def _failure(uri: str, status: int) -> StorageError:
    if status in {401, 403}:
        return Forbidden(uri, f"HTTP status {status}")
    if status == 416:
        return Changed(uri, "is shorter than when it was listed")
    if 400 <= status < 500 and status not in {408, 425, 429}:
        return NotFound(uri, f"HTTP status {status}")
    return Unavailable(uri, f"HTTP status {status}")


def _reason(error: Exception) -> str:
    """What ended the last attempt; urllib3's own message repeats the URL, with its query."""
    return type(getattr(error, "reason", None) or error).__name__
