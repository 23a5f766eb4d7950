"""Where a download comes from: ``https://``, ``http://`` and ``s3://``, opened at an offset.

Each source answers one question: the bytes from here on, provided that the object is still the one begun with.
"""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from twins import s3

CHUNK_BYTES = 1 << 16

PATIENCE = s3.Patience(connect_seconds=10, read_seconds=30, attempts=1)
"""Of one try; ``download`` counts them."""


class Refused(Exception):
    """It cannot be had, now or later. ``problem`` and ``remedy`` are sentences for a person."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem, self.remedy = problem, remedy


class Interrupted(Exception):
    """It could not be had this time: worth another try."""


class Restart(Interrupted):
    """What is here does not go with what is there: begin anew."""


@dataclass(frozen=True)
class Body:
    """Bytes that are arriving."""

    start: int
    """Where in the object they start: the offset asked for, or 0 where the source starts over."""
    size: int | None
    """Of the whole object, where the source says so."""
    etag: str | None
    """A strong entity tag, fit to resume by."""
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class Store:
    """An S3-compatible store that is not AWS. Credentials, and what is left out here, are as boto3 finds them."""

    endpoint: str | None = None
    region: str | None = None


AWS = Store()


class Source(Protocol):
    def open(self, offset: int, etag: str | None) -> AbstractContextManager[Body]:
        """The bytes from ``offset`` if the object still has ``etag``, else all of them.

        Raises:
            Refused: not found, forbidden, unreachable by its nature.
            Interrupted: cut off or busy, here or while reading the chunks.
        """
        ...


def source(uri: str, store: Store = AWS) -> Source:
    """The source of ``uri``."""
    return S3(uri, store) if uri.startswith("s3://") else Http(uri)


@dataclass(frozen=True)
class Http:
    """An object behind ``http`` or ``https`` (RFC 9110: Range and If-Range)."""

    url: str

    @contextmanager
    def open(self, offset: int, etag: str | None) -> Generator[Body, None, None]:
        resuming = {"Range": f"bytes={offset}-", "If-Range": etag} if offset and etag else {}
        headers = {"Accept-Encoding": "identity", **resuming}
        try:
            with (
                httpx.Client(follow_redirects=True, timeout=httpx.Timeout(30, connect=10)) as client,
                client.stream("GET", self.url, headers=headers) as response,
            ):
                yield _http_body(response, offset if resuming else 0, etag)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as failure:
            raise Refused(f"is no address to download from ({failure})", "Check it in a browser.") from failure
        except httpx.TransportError as failure:
            raise Interrupted(_said(failure)) from failure


def _http_body(response: httpx.Response, offset: int, etag: str | None) -> Body:
    now = response.headers.get("ETag")
    strong = now if now and not now.startswith("W/") else None
    if response.status_code == httpx.codes.OK:
        length = response.headers.get("Content-Length")
        return Body(0, int(length) if length else None, strong, response.iter_raw())
    if response.status_code == httpx.codes.PARTIAL_CONTENT and offset:
        start, size = _content_range(response.headers.get("Content-Range", ""))
        if start == offset and now in (etag, None):
            return Body(start, size, etag, response.iter_raw())
        raise Restart("the server went on with something else")
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise Restart("the object is shorter than what is already here")
    raise _refusal(response.status_code)


def _content_range(value: str) -> tuple[int | None, int | None]:
    """``bytes 5-9/10``: the first position and the whole size."""
    span, _, size = value.removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    return int(start) if start.isdecimal() else None, int(size) if size.isdecimal() else None


def _refusal(status: int) -> Refused | Interrupted:
    if status in (401, 403):
        return Refused(f"may not be read ({status})", "Check the credentials and what they allow.")
    if status in (404, 410):
        return Refused(f"is not there ({status})", "Check the address.")
    if status in (408, 425, 429) or status >= 500:
        return Interrupted(f"the server answers {status}")
    return Refused(f"cannot be downloaded: the server answers {status}", "Check the address in a browser.")


@dataclass(frozen=True)
class S3:
    """An object in S3 or a store that speaks it."""

    uri: str
    store: Store = AWS

    @contextmanager
    def open(self, offset: int, etag: str | None) -> Generator[Body, None, None]:
        resuming = {"Range": f"bytes={offset}-", "IfMatch": etag} if offset and etag else {}
        bucket, _, key = self.uri.removeprefix("s3://").partition("/")  # verbatim: '#' and '?' are letters of a key
        endpoint, region = self.store.endpoint, self.store.region
        try:
            with closing(s3.client(s3.session(region), bucket, endpoint, region, PATIENCE)) as client:
                answer = client.get_object(Bucket=bucket, Key=key, **resuming)
                with closing(answer["Body"]) as body:
                    yield _s3_body(answer, body, offset if resuming else 0)
        except ClientError as failure:
            status = int(failure.response["ResponseMetadata"]["HTTPStatusCode"])
            if status in (412, 416):
                raise Restart("the object changed") from failure
            raise _refusal(status) from failure
        except NoCredentialsError as failure:
            raise Refused(
                "needs credentials, and there are none", "Give boto3 some: environment, profile or role."
            ) from failure
        except (BotoCoreError, OSError) as failure:
            raise Interrupted(_said(failure)) from failure


def _s3_body(answer: dict[str, Any], body: Any, offset: int) -> Body:
    size = offset + int(answer["ContentLength"])
    return Body(offset, size, answer.get("ETag"), body.iter_chunks(CHUNK_BYTES))


def _said(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}".removesuffix(": ")
