"""What integration tests run against."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Twins
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for all tests. To stop or kill one, take ``own_s3_server``."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_s3_server(tmp_path: Path, s3_credentials: None) -> Iterator[S3Server]:
    """A server of the test's own, running, which it may ``stop``, ``kill`` and ``start`` again."""
    server = S3Server(tmp_path / "s3")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment in which boto3 finds the server's credentials, here and in processes that a test starts."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def bucket(s3_server: S3Server, s3_credentials: None) -> str:
    """The URI of a new, empty bucket on ``s3_server``, ending in a slash."""
    return f"s3://{s3_server.create_bucket()}/"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command's cache of exported models: one for all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def twins(models: Path, tmp_path: Path) -> Twins:
    """The command, in a folder of the test's own."""
    return Twins(tmp_path, models)
