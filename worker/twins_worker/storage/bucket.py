"""A place in an object store, through obstore: about a tenth of boto3's CPU time a request."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from twins_worker.storage import patience
from twins_worker.storage.patience import patiently
from twins_worker.storage.place import Changed, Forbidden, NotFound, Object, StorageError, TooLarge, Unavailable

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

LARGE_BYTES = 2**20
"""Before so much is sent, ``create`` looks: a server that refuses early may cut the connection."""
DENIED = {"AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound"}
_CODE = re.compile(r"<Code>\s*([^<]*?)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]*?)\s*</Message>")
_QUERY = re.compile(r"(https?://[^\s?'\"]*)\?[^\s'\"]*")
"""Of a URL: where Azure's shared access signatures are."""
_STATUS = re.compile(r"status code: (\d{3}[^:\n]*)")


def client_options(*, plain_http: bool) -> "ClientConfig":
    return {
        "allow_http": plain_http,
        "connect_timeout": timedelta(seconds=patience.CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=patience.STALL_SECONDS),
        "timeout": timedelta(minutes=10),  # of a whole request; what stalls is ended by the one above
    }


def retry_options() -> "RetryConfig":
    return {
        "max_retries": 1000,
        "retry_timeout": timedelta(seconds=patience.retry_seconds()),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
    }


@dataclass(frozen=True)
class Bucket:
    """The part of a bucket below ``prefix``, which is empty or ends in ``/``. ``store`` is the whole bucket."""

    bucket_uri: str
    prefix: str
    store: "S3Store | GCSStore | AzureStore"

    @property
    def root(self) -> str:
        return self.bucket_uri + self.prefix

    def below(self, folder: str) -> Self:
        return replace(self, prefix=f"{self.prefix}{folder}/")

    def uri(self, key: str) -> str:
        return self.root + key

    def list(self, prefix: str = "") -> Iterator[Object]:
        """As ``Place.list``. obstore lists whole path segments, so the rest of ``prefix`` is compared here."""
        start = self.prefix + prefix
        with failures(self.uri(prefix)):
            for page in obstore.list(self.store, start.rpartition("/")[0] or None, chunk_size=1000):
                for meta in page:
                    if meta["path"].startswith(start):
                        yield Object(meta["path"][len(self.prefix) :], meta["size"], unquoted(meta["e_tag"]))

    def find(self, key: str) -> Object | None:
        """As ``Place.find``: obstore would list a whole folder to tell of one key."""
        with failures(self.uri(key)):
            meta = self._head(key)
        return None if meta is None else Object(key, meta["size"], unquoted(meta["e_tag"]))

    def get(
        self, key: str, *, etag: str | None = None, range: tuple[int, int] | None = None, limit: int | None = None
    ) -> bytes:
        if range is not None and range[0] >= range[1]:
            return b""
        options: obstore.GetOptions = {}
        if etag is not None:
            options["if_match"] = f'"{etag}"'
        if range is not None:
            options["range"] = range
        with failures(self.uri(key)):
            answer = obstore.get(self.store, self.prefix + key, options=options)
            start, end = answer.range  # what follows is as long as that, or an error
            if limit is not None and end - start > limit:
                raise TooLarge(self.uri(key), f"has more than {limit} bytes")
            return bytes(answer.bytes())

    def put(self, key: str, data: bytes) -> None:
        with failures(self.uri(key)):
            obstore.put(self.store, self.prefix + key, data, mode="overwrite")

    def create(self, key: str, data: bytes) -> bool:
        """As ``Place.create``, tried again as reading is: obstore does not repeat a conditional write that broke off.

        Where such a write had reached the server, the next one finds it there, and it is told apart by its content.
        """
        tries = itertools.count()
        return patiently(lambda: self._try_to_create(key, data, is_first_try=next(tries) == 0))

    def _try_to_create(self, key: str, data: bytes, *, is_first_try: bool) -> bool:
        with failures(self.uri(key)):
            if len(data) > LARGE_BYTES and self._head(key) is not None:
                return not is_first_try and self.get(key) == data
            try:
                obstore.put(self.store, self.prefix + key, data, mode="create")
            except AlreadyExistsError as error:
                if self._head(key) is None:  # S3 also answers "conflict" while another write is under way
                    raise Unavailable(self.uri(key), f"was in conflict with another write: {told(error)}") from error
                return not is_first_try and self.get(key) == data
        return True

    def _head(self, key: str) -> "ObjectMeta | None":
        try:
            return obstore.head(self.store, self.prefix + key)
        except FileNotFoundError:
            return None


def unquoted(etag: str | None) -> str | None:
    return etag.strip('"') or None if etag else None


@contextmanager
def failures(uri: str) -> Iterator[None]:
    """obstore's errors as those of a ``Place``."""
    try:
        yield
    except ValueError as error:
        raise NotFound(uri, f"is no key that can be asked for: {told(error)}") from error
    except (BaseError, OSError) as error:
        raise _failure(uri, error) from error


def _failure(uri: str, error: Exception) -> StorageError:
    code, _ = code_and_message(str(error))
    if code in DENIED or isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return Forbidden(uri, told(error))
    if isinstance(error, FileNotFoundError) or code in {"NoSuchKey", "NoSuchBucket"}:
        return NotFound(uri, told(error))
    if isinstance(error, PreconditionError) or code == "InvalidRange":
        return Changed(uri, "has changed since it was listed")
    return Unavailable(uri, told(error))


def told(error: Exception) -> str:
    """One line of what a server or a library said: S3's code and message, else the status, else its first line."""
    text = str(error)
    said = [part for part in code_and_message(text) if part] or _STATUS.findall(text)[:1]
    return ": ".join(said) or _QUERY.sub(r"\1", text.partition("\n")[0])


def code_and_message(text: str) -> tuple[str, str]:
    """Of the error that S3 sends, wherever in ``text`` it is; empty where it is not."""
    return "".join(_CODE.findall(text)[:1]), "".join(_MESSAGE.findall(text)[:1])
