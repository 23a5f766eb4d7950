"""Places: the same promises from a folder and from a bucket, against a real S3 server."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server

from twins_worker import settings
from twins_worker.storage import (
    Changed,
    Forbidden,
    NotFound,
    Object,
    Place,
    Reader,
    StorageError,
    Unavailable,
    open_place,
    split,
)

NOWHERE = settings.Storage()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place that is a part of something larger."""
    if request.param == "folder":
        return open_place(f"{tmp_path}/place", NOWHERE)
    server: S3Server = request.getfixturevalue("s3_server")
    return open_place(request.getfixturevalue("bucket") + "place/", server.storage)


def keys(place: Place, prefix: str = "") -> list[str]:
    return [found.key for found in place.list(prefix)]


def etag_of(place: Place, key: str) -> str | None:
    return next(found.etag for found in place.list(key) if found.key == key)


ORDINARY_KEYS = [
    "a b.jpg",
    "a%20b.jpg",
    "%2F",
    "größe/猫.jpg",
    "x#1",
    "q?x=1&y",
    "plus+",
    "[br]{ace}",
    "til~de",
    "back\\slash",
    "quo\"te's",
    "star*",
    "a|b",
    "line\nbreak",
    "tab\t",
    "amp&<>",
    "deep/er/still.jpg",
    "c:d",
]


@pytest.mark.parametrize("key", ORDINARY_KEYS)
def test_a_key_comes_back_as_it_went_in(place: Place, key: str) -> None:
    if place.root.startswith("s3:") and not key.isprintable():
        pytest.skip("obstore does not write such keys; that they are read is tested below")
    assert place.create(key, b"1")
    assert [(found.key, found.bytes) for found in place.list()] == [(key, 1)]
    assert place.get(key) == b"1"
    assert split(place.uri(key)) == (split(place.root)[0], split(place.root)[1].removesuffix("/") + "/" + key)


@pytest.mark.parametrize("key", ["line\nbreak", "tab\t.jpg", "ends/with/slash/"])
def test_keys_that_only_s3_allows_are_listed_and_read(s3_server: S3Server, bucket: str, key: str) -> None:
    s3_server.client.put_object(Bucket=bucket.split("/")[2], Key=f"in/{key}", Body=b"" if key[-1] == "/" else b"12345")
    place = open_place(f"{bucket}in", s3_server.storage)
    (found,) = place.list()
    assert found.key == key
    assert place.get(key, etag=found.etag) == (b"" if key[-1] == "/" else b"12345")
    with pytest.raises(Changed):
        place.get(key, etag="another")


@pytest.mark.parametrize("key", ["../up", "a/../b", "a//b", "./a", "/a", "a/", "nul\0"])
def test_a_folder_refuses_keys_that_name_no_file(tmp_path: Path, key: str) -> None:
    place = open_place(str(tmp_path), NOWHERE)
    for attempt in (place.get, lambda key: place.put(key, b""), lambda key: place.create(key, b"")):
        with pytest.raises(NotFound, match="no name of a file"):
            attempt(key)


def test_a_folder_keeps_names_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"1")
    place = open_place(str(tmp_path), NOWHERE)
    (found,) = place.list()
    assert place.uri(found.key) == f"file://{tmp_path}/caf%E9.jpg"
    assert Reader(NOWHERE).get(place.uri(found.key)) == b"1"


def test_listing_is_in_the_order_of_the_keys_bytes(place: Place) -> None:
    written = ["a/x", "a-b", "a.b", "ab", "B", "é", "z", "a/y/1", "猫", "a0/x"]
    for key in written:
        place.put(key, b"")
    assert keys(place) == sorted(written, key=str.encode)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        pytest.param("", ["a/b/1", "a/b2", "ab", "c"], id="everything"),
        pytest.param("a/", ["a/b/1", "a/b2"], id="below a directory"),
        pytest.param("a/b", ["a/b/1", "a/b2"], id="names that start with it"),
        pytest.param("a", ["a/b/1", "a/b2", "ab"], id="directories and names that start with it"),
        pytest.param("a/b2", ["a/b2"], id="one object"),
        pytest.param("nothing/here", [], id="nothing there"),
    ],
)
def test_a_prefix_is_the_start_of_keys(place: Place, prefix: str, expected: list[str]) -> None:
    for key in ["a/b/1", "a/b2", "ab", "c"]:
        place.put(key, b"")
    assert keys(place, prefix) == expected


def test_a_place_that_is_not_there_yet_is_empty(place: Place) -> None:
    assert keys(place) == []


def test_more_than_a_page_is_listed_whole(place: Place) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: place.put(f"{number:04}", b""), range(1205)))
    assert keys(place) == [f"{number:04}" for number in range(1205)]


def test_put_overwrites_and_create_does_not(place: Place) -> None:
    assert place.create("part", b"first")
    assert not place.create("part", b"second")
    assert place.get("part") == b"first"
    place.put("part", b"third")
    assert place.get("part") == b"third"


def test_of_many_creators_one_is_told_that_it_was_first(place: Place) -> None:
    together = threading.Barrier(8)

    def create(number: int) -> bool:
        together.wait()
        return place.create("part", bytes([number]) * 100_000)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(create, range(8)))
    assert place.get("part") == bytes([told.index(True)]) * 100_000
    assert told.count(True) == 1


def test_an_object_is_read_only_as_it_was_listed(place: Place) -> None:
    place.put("image", b"before")
    listed = etag_of(place, "image")
    assert place.get("image", etag=listed) == b"before"
    place.put("image", b"after!")
    with pytest.raises(Changed, match="image: has changed since it was listed"):
        place.get("image", etag=listed)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        pytest.param((0, 4), b"0123", id="the start"),
        pytest.param((4, 6), b"45", id="the middle"),
        pytest.param((8, 99), b"89", id="as far as it goes"),
        pytest.param((3, 3), b"", id="nothing"),
    ],
)
def test_a_range_is_read(place: Place, span: tuple[int, int], expected: bytes) -> None:
    place.put("tar", b"0123456789")
    assert place.get("tar", range=span) == expected


def test_a_range_behind_the_end_means_that_the_object_changed(place: Place) -> None:
    place.put("tar", b"0123456789")
    with pytest.raises(Changed):
        place.get("tar", range=(99, 100))


def test_what_is_not_there_is_not_found_by_its_uri(place: Place) -> None:
    with pytest.raises(NotFound) as failure:
        place.get("missing.jpg")
    assert failure.value.uri == place.uri("missing.jpg")


def test_an_empty_object_is_read(place: Place) -> None:
    place.put("empty", b"")
    assert place.get("empty", etag=etag_of(place, "empty")) == b""


# Folders


def test_a_staging_file_that_a_kill_left_is_never_seen(tmp_path: Path) -> None:
    (tmp_path / ".twins-0123456789abcdef").write_bytes(b"half")
    assert keys(open_place(str(tmp_path), NOWHERE)) == []


def test_a_write_leaves_one_file_with_the_usual_permissions(tmp_path: Path) -> None:
    place = open_place(str(tmp_path), NOWHERE)
    place.create("new", b"1")
    place.create("new", b"2")
    (tmp_path / "usual").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "usual"]
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/photo").write_bytes(b"1")
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/deep/up").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/self").symlink_to(tmp_path / "in/self")
    (tmp_path / "in/dangling").symlink_to(tmp_path / "gone")
    found = list(open_place(f"{tmp_path}/in", NOWHERE).list())
    assert [(entry.key, entry.bytes) for entry in found] == [("dangling", None), ("linked/photo", 1), ("self", None)]


def test_what_is_no_regular_file_is_neither_listed_nor_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    place = open_place(str(tmp_path), NOWHERE)
    assert keys(place) == []
    for key in ("pipe", tmp_path.name):
        with pytest.raises(NotFound, match="no regular file"):
            open_place(str(tmp_path if key == "pipe" else tmp_path.parent), NOWHERE).get(key)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_directory_is_forbidden_by_name(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(Forbidden, match="closed"):
        keys(open_place(str(tmp_path), NOWHERE))


# S3


def forbidden_by_its_key(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")


def nobody(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NOBODY")


def no_credentials(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def missing_profile(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        pytest.param(forbidden_by_its_key, "SignatureDoesNotMatch", id="a wrong secret"),
        pytest.param(nobody, "XAdminUserNotFound", id="an unknown key"),
        pytest.param(no_credentials, "Set AWS_PROFILE", id="no credentials"),
        pytest.param(missing_profile, r"profile \(nowhere\) could not be found", id="a profile that is not there"),
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda place: place.get("x"), id="get"),
        pytest.param(lambda place: list(place.list()), id="list"),
        pytest.param(lambda place: place.put("x", b""), id="put"),
        pytest.param(lambda place: place.create("x", b""), id="create"),
    ],
)
def test_who_may_not_is_told_so_without_secrets(
    s3_server: S3Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    arrange: Callable[[S3Server, pytest.MonkeyPatch], None],
    says: str,
    use: Callable[[Place], object],
) -> None:
    arrange(s3_server, monkeypatch)
    with pytest.raises(Forbidden, match=says) as failure:
        use(open_place(bucket, s3_server.storage))
    assert str(failure.value).startswith(bucket)
    assert "\n" not in str(failure.value)
    assert not {"not-the-secret", ACCESS_KEY, SECRET_KEY} & set(re.split(r"[\s'\"<>&=]", str(failure.value)))


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda place: place.get("x"), id="get"),
        pytest.param(lambda place: list(place.list()), id="list"),
        pytest.param(lambda place: place.put("x", b""), id="put"),
        pytest.param(lambda place: place.create("x", b""), id="create"),
    ],
)
def test_a_missing_bucket_is_not_found(
    s3_server: S3Server, s3_credentials: None, use: Callable[[Place], object]
) -> None:
    with pytest.raises(NotFound, match=r"^s3://missing/x?: NoSuchBucket"):
        use(open_place("s3://missing/", s3_server.storage))


def test_credentials_come_from_a_profile_as_boto3_finds_them(
    own_s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = own_s3_server.create_bucket()
    config = tmp_path / "config"
    config.write_text(
        f"[profile twins]\naws_access_key_id={os.environ['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key={os.environ['AWS_SECRET_ACCESS_KEY']}\n"
        f"region=us-east-1\nendpoint_url={own_s3_server.endpoint}\n"
    )
    no_credentials(own_s3_server, monkeypatch)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "twins")
    place = open_place(f"s3://{bucket}/", NOWHERE)
    place.put("x", b"1")
    assert [place.get(found.key) for found in place.list()] == [b"1"]


def test_a_lost_server_is_unavailable_and_a_restarted_one_is_ridden_out(
    own_s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = f"s3://{own_s3_server.create_bucket()}/"
    place = open_place(bucket, own_s3_server.storage)
    place.put("x", b"1")
    monkeypatch.setenv("TWINS_RETRY_SECONDS", "1")
    impatient = open_place(bucket, own_s3_server.storage)
    own_s3_server.kill()
    with pytest.raises(Unavailable, match=r"^s3://bucket-\d+/x: .*"):
        impatient.get("x")
    restart = threading.Timer(1, own_s3_server.start)
    restart.start()
    assert place.get("x") == b"1"
    restart.join()


class _Flaky(BaseHTTPRequestHandler):
    """A listing of two pages, each of which comes at the third try."""

    protocol_version = "HTTP/1.1"
    tries = iter(range(6))

    def do_GET(self) -> None:
        number = next(self.tries)
        page, attempt = divmod(number, 3)
        body = PAGES[page].encode()
        self.send_response(503 if attempt == 0 else 200)
        self.send_header("Content-Length", str(len(body) if attempt else 0))
        self.end_headers()
        self.wfile.write(b"" if attempt == 0 else body[:100] if attempt == 1 else body)
        self.close_connection = attempt == 1

    def log_message(self, *args: object) -> None:
        pass


PAGES = [
    f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>"
    f"<Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>"
    for truncated, key in [("true", "a"), ("false", "b")]
]


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a web server in a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_listing_survives_busy_answers_and_broken_ones(s3_credentials: None) -> None:
    with serving(_Flaky) as endpoint:
        place = open_place("s3://bucket/", settings.Storage(endpoint=endpoint, region="us-east-1"))
        assert list(place.list()) == [Object("a", 1, None), Object("b", 1, None)]


# Readers and web servers


class _Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"0123456789"
        status = {"/forbidden": 403, "/gone": 410, "/busy": 503}.get(self.path, 200)
        if self.path == "/a%20b.jpg?signature=s%2Fx" or status != 200:
            body = body if status == 200 else b""
        else:
            status, body = 404, b""
        self.send_response(status)
        self.send_header("ETag", '"abc"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with serving(_Pages) as url:
        yield url


def test_a_url_is_asked_for_as_it_is_written(site: str) -> None:
    read = Reader(NOWHERE)
    assert read.get(f"{site}/a%20b.jpg?signature=s%2Fx") == b"0123456789"
    assert read.get(f"{site}/a%20b.jpg?signature=s%2Fx", etag="abc", range=(2, 4)) == b"23"


@pytest.mark.parametrize(
    ("path", "etag", "kind"),
    [
        ("/missing?signature=sss", None, NotFound),
        ("/gone?signature=sss", None, NotFound),
        ("/forbidden", None, Forbidden),
        ("/busy", None, Unavailable),
        ("/a%20b.jpg?signature=s%2Fx", "abd", Changed),
    ],
)
def test_a_web_servers_refusals_are_told_without_signatures(
    site: str, path: str, etag: str | None, kind: type[StorageError]
) -> None:
    with pytest.raises(kind) as failure:
        Reader(NOWHERE).get(site + path, etag=etag)
    assert str(failure.value).startswith(site)
    assert "signature" not in str(failure.value)


def test_a_reader_reads_wherever_a_uri_points(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(b"disk")
    open_place(bucket, s3_server.storage).put("a b", b"bucket")
    read = Reader(s3_server.storage)
    uris = [str(tmp_path / "a b"), (tmp_path / "a b").as_uri(), f"{bucket}a b"]
    assert [read.get(uri) for uri in uris] == [b"disk", b"disk", b"bucket"]


def test_an_object_is_a_plain_value() -> None:
    assert Object("a", 1, "e") == Object(key="a", bytes=1, etag="e")
