"""Objects on a web server: read only, by their URL.

Servers are strangers': what they send is taken as it comes, never unpacked, and no more of it than was asked for.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError

from twins.errors import RequestError
from twins_worker.storage import patience, timely
from twins_worker.storage.place import Changed, Forbidden, NotFound, Object, StorageError, TooLarge, Unavailable
from twins_worker.storage.shown import shown_uri

SCHEMES = {"http", "https"}
REDIRECTS = 5
CHUNK_BYTES = 2**16
PAUSES_SECONDS = (0.2, 0.8, 3.2)
"""Before each further try."""


@cache
def _pool() -> urllib3.PoolManager:
    """For all servers: connections to the last few stay open."""
    return timely.pools(num_pools=16, maxsize=256)


def open_site(root: str, field: str) -> "Site":
    """What is below the URL ``root``, which ``field`` is blamed for.

    Raises:
        RequestError: it is no URL.
    """
    try:
        urllib3.util.parse_url(root)
    except HTTPError as error:
        raise RequestError(field, shown_uri(root), "is no URL", "Write https://HOST/PATH.") from error
    return Site(root)


@dataclass(frozen=True)
class Site:
    """What is below ``root``. A key is the rest of a URL as it is written there: escapes, query and all."""

    root: str
    object_seconds: float = patience.OBJECT_SECONDS

    def below(self, folder: str) -> "Site":
        return replace(self, root=f"{self.root}{folder}/")

    def uri(self, key: str) -> str:
        return self.root + key

    def list(self, prefix: str = "") -> Iterator[Object]:
        raise Forbidden(self._shown(prefix), "a web server cannot be listed: name its objects in a manifest")

    def find(self, key: str) -> Object | None:
        """Not asked for: a signed URL is good for one method, so what is there shows when it is read."""
        return Object(key, None, None)

    def get(
        self, key: str, *, etag: str | None = None, range: tuple[int, int] | None = None, limit: int | None = None
    ) -> bytes:
        start, end = range or (0, None)
        if end is not None and start >= end:
            return b""
        asked = _Asked(self.uri(key), etag, start, end, limit, time.monotonic() + self.object_seconds)
        for pause in PAUSES_SECONDS:
            try:
                return asked.answer()
            except Unavailable:
                if asked.left_seconds < pause:
                    raise
            time.sleep(pause)
        return asked.answer()

    def put(self, key: str, data: bytes) -> None:
        raise Forbidden(self._shown(key), "a web server cannot be written to")

    def create(self, key: str, data: bytes) -> bool:
        raise Forbidden(self._shown(key), "a web server cannot be written to")

    def _shown(self, key: str) -> str:
        return shown_uri(self.uri(key))


@dataclass(frozen=True)
class _Asked:
    """Bytes of ``url`` from ``start`` on, up to but without ``end``, by a time of the monotonic clock."""

    url: str
    etag: str | None
    start: int
    end: int | None
    limit: int | None
    deadline: float

    @property
    def left_seconds(self) -> float:
        return max(self.deadline - time.monotonic(), 0)

    @property
    def most(self) -> int | None:
        """How many bytes are wanted at most; ``None``: all."""
        return self.limit if self.end is None else self.end - self.start

    def answer(self) -> bytes:
        """One try."""
        try:
            with closing(self._response()) as response:
                return self._checked(response)
        except (HTTPError, OSError, ValueError) as error:
            raise self._failed(Unavailable, _reason(error)) from None  # its text repeats the URL, with its query

    def _response(self) -> urllib3.BaseHTTPResponse:
        """Redirects are followed here: urllib3 would first read all that comes with one."""
        headers = {"Accept-Encoding": "identity"}
        if self.end is not None:
            headers["Range"] = f"bytes={self.start}-{self.end - 1}"
        url = self.url
        for _ in range(REDIRECTS + 1):
            response = _pool().request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(patience.CONNECT_SECONDS, read=self._stall_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            location = response.get_redirect_location()
            if not location:
                return response
            response.close()
            url = urljoin(url, location)
        raise self._failed(NotFound, f"is redirected more than {REDIRECTS} times")

    @property
    def _stall_seconds(self) -> float:
        return min(patience.STALL_SECONDS, self.left_seconds + 0.1)

    def _checked(self, response: urllib3.BaseHTTPResponse) -> bytes:
        if response.status not in {200, 206}:
            raise self._failed(_KINDS.get(response.status, _kind(response.status)), f"HTTP status {response.status}")
        if self.etag is not None and response.headers.get("ETag", "").strip('"') != self.etag:
            raise self._failed(Changed, "has changed since it was listed")
        skip = 0 if response.status == 206 else self.start
        data = b"".join(self._chunks(response, skip))
        if self.end is None and self.limit is not None and len(data) > self.limit:
            raise self._failed(TooLarge, f"has more than {self.limit} bytes")
        return data[: self.most]

    def _chunks(self, response: urllib3.BaseHTTPResponse, skip: int) -> Iterator[bytes]:
        """What comes after ``skip`` bytes, until there is more than ``most``."""
        told = int(response.headers.get("Content-Length", 0)) if self.end is None else 0
        if self.limit is not None and told > self.limit:
            raise self._failed(TooLarge, f"has {told} bytes, more than {self.limit}")
        seen = 0
        while chunk := response.read1(CHUNK_BYTES, decode_content=False):
            if not self.left_seconds:
                raise self._failed(Unavailable, "is sent too slowly")
            yield chunk[max(skip - seen, 0) :]
            seen += len(chunk)
            if self.most is not None and seen > skip + self.most:
                return

    def _failed(self, kind: type[StorageError], reason: str) -> StorageError:
        return kind(shown_uri(self.url), reason)


_KINDS: dict[int, type[StorageError]] = {
    401: Forbidden,
    403: Forbidden,
    408: Unavailable,
    416: Changed,
    425: Unavailable,
    429: Unavailable,
}


def _kind(status: int) -> type[StorageError]:
    return NotFound if 400 <= status < 500 else Unavailable


def _reason(error: Exception) -> str:
    """What ended a try; urllib3's own message repeats the URL, with its query."""
    return type(getattr(error, "reason", None) or error).__name__
