"""S3 and what speaks like it: boto3 says who, where and what is there; obstore moves the bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from twins import s3
from twins_worker import settings
from twins_worker.storage import boto, bucket, patience
from twins_worker.storage.place import Forbidden, Object, TooLarge
from twins_worker.storage.s3_listing import Lister

if TYPE_CHECKING:
    from obstore.store import S3Config

PATIENCE = s3.Patience(patience.CONNECT_SECONDS, patience.STALL_SECONDS, attempts=5)

LIST_STALL_SECONDS = 10
"""A page of a listing takes a fraction of a second."""


@dataclass(frozen=True)
class S3Bucket(bucket.Bucket):
    """Keys are exactly S3's: those that obstore cannot name (``a//b``, ``a/../b``, ``a/``) go through boto3."""

    client: Any
    """boto3's."""
    lister: Lister

    def list(self, prefix: str = "") -> Iterator[Object]:
        skip = len(self.prefix)
        for found in self.lister.objects(self.prefix + prefix):
            yield Object(found.key[skip:], found.bytes, found.etag) if skip else found

    def find(self, key: str) -> Object | None:
        """As ``Place.find``, by listing: that needs no right to read the object, and says the same as a listing."""
        first = next(iter(self.list(key)), None)  # a key comes before all that start with it
        return first if first is not None and first.key == key else None

    def get(
        self, key: str, *, etag: str | None = None, range: tuple[int, int] | None = None, limit: int | None = None
    ) -> bytes:
        if _obstore_can_name(self.prefix + key):
            return super().get(key, etag=etag, range=range, limit=limit)
        conditions = {} if etag is None else {"IfMatch": f'"{etag}"'}
        if range is not None:
            conditions["Range"] = f"bytes={range[0]}-{range[1] - 1}"
        with boto.failures(self.uri(key)):
            answer = self.client.get_object(Bucket=self.name, Key=self.prefix + key, **conditions)
            if limit is not None and answer["ContentLength"] > limit:
                answer["Body"].close()
                raise TooLarge(self.uri(key), f"has more than {limit} bytes")
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
    unsigned = s3.is_unsigned()
    with boto.failures(uri):
        session = s3.session(storage.region)
        if not unsigned and session.get_credentials() is None:
            raise Forbidden(uri, boto.NO_CREDENTIALS)
        client = s3.client(session, name, storage.endpoint, storage.region, PATIENCE)
    store = _store(name, session, client, unsigned=unsigned)
    return S3Bucket(uri, prefix, store, client, Lister(name, client, _http(client)))


def _store(name: str, session: boto3.Session, client: Any, *, unsigned: bool) -> S3Store:
    endpoint: str = client.meta.endpoint_url  # settings, environment and profile have all had their say in it
    config: S3Config = {"region": client.meta.region_name, "skip_signature": unsigned, "endpoint": endpoint}
    # botocore renews what expires ten minutes ahead: what it gives is good for five.
    provider = None if unsigned else Boto3CredentialProvider(session, ttl=timedelta(minutes=5))
    return S3Store(
        name,
        config=config,
        client_options=bucket.client_options(plain_http=endpoint.startswith("http://")),
        retry_config=bucket.retry_options(),
        credential_provider=provider,
    )


def _http(client: Any) -> URLLib3Session:
    """Sends what ``client`` signs, through the proxies and with the authorities that boto3 would use."""
    return URLLib3Session(
        verify=botocore.session.get_session().get_config_variable("ca_bundle") or True,
        proxies=get_environ_proxies(client.meta.endpoint_url),
        timeout=(patience.CONNECT_SECONDS, LIST_STALL_SECONDS),
    )


def _obstore_can_name(key: str) -> bool:
    return key.isprintable() and not any(part in ("", ".", "..") for part in key.split("/"))
