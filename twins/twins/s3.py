"""How S3 is reached, for all that reads or writes it: who asks, where, and in which region.

What is not said is as boto3 finds it: credentials, endpoint and region from the environment, a profile or a role. For a
public bucket ``AWS_SKIP_SIGNATURE=true`` leaves the signature out, as obstore has it.
"""

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError


@dataclass(frozen=True)
class Patience:
    """How long a client waits, and how often it asks, before it gives up."""

    connect_seconds: float
    read_seconds: float
    attempts: int


def is_unsigned() -> bool:
    """Whether requests go without a signature."""
    return os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"}


def session(region: str | None) -> boto3.Session:
    """boto3's, apart from the one that others in the process may have set up."""
    return boto3.Session(botocore_session=botocore.session.get_session(), region_name=region)


def client(session: boto3.Session, bucket: str, endpoint: str | None, region: str | None, patience: Patience) -> Any:
    """boto3's client for ``bucket``: in its own region where nothing names one and the endpoint is Amazon's.

    Raises:
        BotoCoreError: Amazon could not be asked for the bucket's region.
    """
    made = _client(session, endpoint, session.region_name or "us-east-1", patience)
    if region is None and _is_amazons(made.meta.endpoint_url):
        made = _client(session, None, _region(made, bucket), patience)
    return made


def _client(session: boto3.Session, endpoint: str | None, region: str, patience: Patience) -> Any:
    config = Config(
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        s3={"addressing_style": "path"},
        signature_version=UNSIGNED if is_unsigned() else "s3v4",
    )
    return session.client("s3", region_name=region, endpoint_url=endpoint, config=config)


def _is_amazons(endpoint: str) -> bool:
    """Whether it is a region's public one. A VPC's own is where a job wants to go, whatever the bucket's region."""
    return re.fullmatch(r"s3([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?", urlsplit(endpoint).hostname or "") is not None


def _region(client: Any, bucket: str) -> str:
    """The region of a bucket of Amazon's, which says it even to those it denies."""
    try:
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    region: str = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", client.meta.region_name)
    return region
