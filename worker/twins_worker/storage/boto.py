"""boto3's errors as those of a ``Place``."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from twins_worker.storage import bucket
from twins_worker.storage.place import Changed, Forbidden, NotFound, StorageError, Unavailable

NO_CREDENTIALS = (
    "no credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a "
    "role; for a public bucket set AWS_SKIP_SIGNATURE=true"
)

UNREACHED = (HTTPClientError, BotoConnectionError)
"""No answer, or half of one."""
_PASSING = (CredentialRetrievalError, IncompleteReadError, ResponseParserError)
"""What may be gone on another try, when boto3's own tries are spent."""

_KINDS: dict[str, type[StorageError]] = {
    "400": Forbidden,
    "403": Forbidden,
    "404": NotFound,
    "412": Changed,
    "416": Changed,
    "ExpiredToken": Unavailable,
    "NoSuchBucket": NotFound,
    "RequestTimeout": Unavailable,
}


@contextmanager
def failures(uri: str) -> Iterator[None]:
    """Turn boto3's errors into ours, about ``uri``."""
    try:
        yield
    except NoCredentialsError as error:
        raise Forbidden(uri, NO_CREDENTIALS) from error
    except ClientError as error:
        said = error.response.get("Error", {})
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise refusal(uri, status, said.get("Code", ""), said.get("Message", "")) from error
    except UNREACHED as error:  # whose text has the whole URL, signature and session token with it
        raise Unavailable(uri, _unreached(error)) from None
    except _PASSING as error:
        raise Unavailable(uri, _line(error)) from error
    except BotoCoreError as error:  # a profile that does not exist, half a key, a login that ran out
        raise Forbidden(uri, _line(error)) from error


def refusal(uri: str, status: int, code: str, message: str) -> StorageError:
    """What an answer of S3 with that status and error says."""
    kind = Forbidden if code in bucket.DENIED else _KINDS.get(code) or _KINDS.get(str(status), Unavailable)
    return kind(uri, ": ".join(part for part in (code or f"HTTP status {status}", message) if part))


def _unreached(error: HTTPClientError | BotoConnectionError) -> str:
    """Its kind and, where it is told, the host."""
    host = urlsplit(error.kwargs.get("endpoint_url", "")).hostname
    return f"{type(error).__name__} at {host}" if host else type(error).__name__


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
