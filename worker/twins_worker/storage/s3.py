"""S3 and what speaks like it: boto3 says who, where and what is there; obstore moves the bytes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from twins_worker import settings
from twins_worker.storage import bucket
from twins_worker.storage.place import Changed, Forbidden, NotFound, Object, StorageError, Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Config

NO_CREDENTIALS = (
    "no credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a "
    "role; for a public bucket set AWS_SKIP_SIGNATURE=true"
)

_PASSING = (HTTPClientError, BotoConnectionError, CredentialRetrievalError, IncompleteReadError, ResponseParserError)
"""What may be gone on another try, when boto3's own tries are spent."""

_KINDS: dict[str, type[StorageError]] = {
    "400": Forbidden,
    "403": Forbidden,
    "404": NotFound,
    "412": Changed,
    "416": Changed,
    "NoSuchBucket": NotFound,
}


@dataclass(frozen=True)
class S3Bucket(bucket.Bucket):
    """Keys are exactly S3's: those that obstore cannot name (``a//b``, ``a/../b``, ``a/``) go through boto3."""

    client: Any

    def list(self, prefix: str = "") -> Iterator[Object]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=self.prefix + prefix, PaginationConfig={"PageSize": 1000}
        )
        with _failures(self.uri(prefix)):
            for page in pages:
                for found in page.get("Contents", ()):
                    key = found["Key"][len(self.prefix) :]
                    yield Object(key, found["Size"], bucket.unquoted(found.get("ETag")))

    def get(self, key: str, *, etag: str | None = None, range: tuple[int, int] | None = None) -> bytes:
        if _obstore_can_name(self.prefix + key):
            return super().get(key, etag=etag, range=range)
        conditions = {} if etag is None else {"IfMatch": f'"{etag}"'}
        if range is not None:
            conditions["Range"] = f"bytes={range[0]}-{range[1] - 1}"
        with _failures(self.uri(key)):
            answer = self.client.get_object(Bucket=self.name, Key=self.prefix + key, **conditions)
            data: bytes = answer["Body"].read()
            return data

    @property
    def name(self) -> str:
        return urlsplit(self.bucket_uri).netloc


def open_bucket(name: str, prefix: str, storage: settings.Storage) -> S3Bucket:
    """The part of a bucket below ``prefix``, with the credentials that boto3 finds.

    Raises:
        StorageError: there are no credentials, or the bucket's region could not be asked for.
    """
    uri = f"s3://{name}/"
    unsigned = os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"}
    with _failures(uri):
        session = _session(storage.region)
        if not unsigned and session.get_credentials() is None:
            raise Forbidden(uri, NO_CREDENTIALS)
        client = _client(session, storage.endpoint, unsigned=unsigned)
        endpoint = _endpoint_of_its_own(client.meta.endpoint_url)
        config: S3Config = {"region": client.meta.region_name}
        if endpoint:
            config["endpoint"] = endpoint
        elif storage.region is None:
            config["region"] = _region(client, name)
        if unsigned:
            config["skip_signature"] = True
    store = S3Store(
        name,
        config=config,
        client_options=bucket.client_options(plain_http=(endpoint or "").startswith("http://")),
        retry_config=bucket.retry_options(),
        # botocore renews what expires ten minutes ahead: what it gives is good for five.
        credential_provider=None if unsigned else Boto3CredentialProvider(session, ttl=timedelta(minutes=5)),
    )
    return S3Bucket(uri, prefix, store, client)


def _session(region: str | None) -> boto3.Session:
    session = botocore.session.get_session()
    # A listing is mostly dates; botocore's own parser of them is three quarters of its cost.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    return boto3.Session(botocore_session=session, region_name=region)


def _timestamp(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        parsed: datetime = parse_timestamp(text)
        return parsed


def _client(session: boto3.Session, endpoint: str | None, *, unsigned: bool) -> Any:
    config = Config(
        connect_timeout=bucket.CONNECT_SECONDS,
        read_timeout=10,  # a page of a listing takes a fraction of a second
        retries={"mode": "standard", "total_max_attempts": 11},
        signature_version=UNSIGNED if unsigned else None,
        **({"s3": {"addressing_style": "path"}} if endpoint else {}),
    )
    region = session.region_name or "us-east-1"
    return session.client("s3", region_name=region, endpoint_url=endpoint, config=config)


def _endpoint_of_its_own(url: str) -> str | None:
    """Where requests go unless to Amazon: settings, environment and profile have all had their say in ``url``."""
    return None if "amazonaws.com" in (urlsplit(url).hostname or "") else url


def _region(client: Any, name: str) -> str:
    """The region of a bucket of Amazon's, which says it even to those it denies."""
    try:
        answer = client.head_bucket(Bucket=name)
    except ClientError as error:
        answer = error.response
    region: str = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", client.meta.region_name)
    return region


def _obstore_can_name(key: str) -> bool:
    return key.isprintable() and not any(part in ("", ".", "..") for part in key.split("/"))


@contextmanager
def _failures(uri: str) -> Iterator[None]:
    """boto3's errors as those of a ``Place``."""
    try:
        yield
    except NoCredentialsError as error:
        raise Forbidden(uri, NO_CREDENTIALS) from error
    except ClientError as error:
        raise _failure(uri, error) from error
    except _PASSING as error:
        raise Unavailable(uri, _line(error)) from error
    except BotoCoreError as error:  # a profile that does not exist, half a key, a login that ran out
        raise Forbidden(uri, _line(error)) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _failure(uri: str, error: ClientError) -> StorageError:
    said = error.response.get("Error", {})
    code, status = said.get("Code", ""), str(error.response["ResponseMetadata"]["HTTPStatusCode"])
    kind = Forbidden if code in bucket.DENIED else _KINDS.get(code, _KINDS.get(status, Unavailable))
    return kind(uri, ": ".join(part for part in (code, said.get("Message")) if part))
