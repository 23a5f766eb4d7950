"""URIs: taken apart, put together again, and refused with a way out."""

from pathlib import Path

import pytest

from twins.errors import RequestError
from twins_worker.settings import Storage
from twins_worker.storage import open_place, shown_uri, split


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://bkt/a%20b/c d#e?f", ("s3://bkt/", "a%20b/c d#e?f")),
        ("s3://bkt/a//../b/", ("s3://bkt/", "a//../b/")),
        ("s3://bkt", ("s3://bkt/", "")),
        ("https://host:1/a%20b?c=d%2F", ("https://host:1/", "a%20b?c=d%2F")),
        ("file:///a%20b/%23", ("file:///", "a b/#")),
        ("file://localhost/a/../b/", ("file:///", "b")),
        ("/a b%20/c/", ("file:///", "a b%20/c")),
    ],
)
def test_a_uri_is_taken_apart(uri: str, expected: tuple[str, str]) -> None:
    assert split(uri) == expected


def test_a_relative_path_starts_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_place("photos", Storage()).root == f"file://{tmp_path}/photos/"


@pytest.mark.parametrize(
    ("uri", "root"),
    [("gs://bkt/a b/", "gs://bkt/a b/"), ("gs://bkt", "gs://bkt/"), ("az://box/x", "az://box/x/"), ("/", "file:///")],
)
def test_a_place_ends_in_a_slash(monkeypatch: pytest.MonkeyPatch, uri: str, root: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    place = open_place(uri, Storage())
    assert place.root == root
    assert place.uri("k/1") == f"{root}k/1"
    assert place.below("k").root == f"{root}k/"


def test_azure_without_an_account_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(RequestError, match=r"input.uri: 'az://box/x' cannot be opened: .* AZURE_STORAGE_ACCOUNT_NAME"):
        open_place("az://box/x", Storage(), field="input.uri")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "ftp://host/a",
        "s3://",
        "s3:///key",
        "s3://b ad/../x",
        "gs://-/x",
        "az://b?x/y",
        "pvc://claim/a",
        "file://host/a",
        "a\0b",
    ],
)
def test_a_uri_that_cannot_work_is_refused(uri: str) -> None:
    with pytest.raises(RequestError) as refused:
        split(uri, field="output.uri")
    assert refused.value.field == "output.uri"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://host/a.jpg?X-Amz-Signature=s&X-Amz-Security-Token=t", "https://host/a.jpg"),
        ("https://user:pw@host:8443/a.jpg", "https://host:8443/a.jpg"),
        ("https://host?sig=/@s", "https://host"),
        ("HTTP://u:p@host/a@b.jpg", "HTTP://host/a@b.jpg"),
        ("https://host/x.tar?sig=s#a?b.jpg", "https://host/x.tar#a?b.jpg"),
        ("http://u:p@[::1/a.jpg?s", "http://[::1/a.jpg"),
        ("s3://bkt/a?b@c.jpg", "s3://bkt/a?b@c.jpg"),
        ("/a?b", "/a?b"),
    ],
)
def test_a_uri_is_shown_without_secrets(uri: str, shown: str) -> None:
    assert shown_uri(uri) == shown


@pytest.mark.parametrize("uri", ["http://[::1/a", "https://host:port/", "http://u:secret@[::1/a?secret"])
def test_a_web_server_that_has_no_name_is_refused(uri: str) -> None:
    with pytest.raises(RequestError, match="is no URL") as refused:
        open_place(uri, Storage())
    assert "secret" not in str(refused.value)
