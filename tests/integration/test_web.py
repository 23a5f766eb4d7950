"""Web servers are strangers': what they send is bounded, what they fail at is told without secrets."""

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from twins_worker import settings
from twins_worker.failures import Failure
from twins_worker.fetch import MAX_BYTES, Row, fetcher
from twins_worker.pipeline import UNKNOWN_BYTES
from twins_worker.storage import NotFound, Reader, TooLarge, Unavailable
from twins_worker.storage.web import PAUSES_SECONDS, Site

NOWHERE = settings.Storage()
PIXELS = b"0123456789"


class Stranger(BaseHTTPRequestHandler):
    """What each path sends is one of its methods."""

    protocol_version = "HTTP/1.1"
    sent: int = 0
    asked: int = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        with suppress(ConnectionError):
            getattr(self, self.path.partition("?")[0].strip("/"))()

    def good(self) -> None:
        self._head(200, len(PIXELS))
        self.wfile.write(PIXELS)

    def zipped(self) -> None:
        body = gzip.compress(bytes(1000))
        self._head(200, len(body), {"Content-Encoding": "gzip"})
        self.wfile.write(body)

    def endless(self) -> None:
        """No length, and no end before 64 MiB."""
        self._head(200, None)
        self._pour()

    def huge(self) -> None:
        self._head(200, 50 * 10**9)
        self._pour()

    def away(self) -> None:
        """A redirect to what is good, with a long body."""
        self._head(302, None, {"Location": "/good"})
        self._pour()

    def round(self) -> None:
        self._head(302, 0, {"Location": "/round"})

    def busy(self) -> None:
        self._head(503, 0, {"Retry-After": "3600"})

    def cut(self) -> None:
        self._head(200, 100)
        self.wfile.write(PIXELS)
        self.close_connection = True

    def slow(self) -> None:
        """A byte at a time, for ten seconds."""
        self._head(200, 100)
        for _ in range(100):
            self.wfile.write(b"x")
            time.sleep(0.1)

    def drip(self) -> None:
        """The head, a byte at a time, for ten seconds."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
        for _ in range(100):
            self.wfile.write(b"x")
            time.sleep(0.1)

    def _head(self, status: int, length: int | None, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if length is None:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _pour(self) -> None:
        self.close_connection = True
        for _ in range(64):
            self.wfile.write(bytes(2**20))
            type(self).sent += 2**20

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[tuple[str, type[Stranger]]]:
    handler = type("Handler", (Stranger,), {})
    with ThreadingHTTPServer(("", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["endless", "huge"])
def test_no_more_is_read_than_is_wanted(stranger: tuple[str, type[Stranger]], path: str) -> None:
    url, handler = stranger
    with pytest.raises(TooLarge, match=f"{path}: has "):
        Reader(NOWHERE).get(f"{url}/{path}", limit=1000)
    assert handler.sent < 32 * 2**20
    assert len(Reader(NOWHERE).get(f"{url}/{path}", range=(500, 1500))) == 1000


def test_what_is_packed_stays_so(stranger: tuple[str, type[Stranger]]) -> None:
    assert Reader(NOWHERE).get(f"{stranger[0]}/zipped") == gzip.compress(bytes(1000))


def test_a_redirect_is_followed_without_its_body(stranger: tuple[str, type[Stranger]]) -> None:
    url, handler = stranger
    assert Reader(NOWHERE).get(f"{url}/away", limit=len(PIXELS)) == PIXELS
    assert handler.sent < 32 * 2**20


def test_redirects_in_a_circle_end(stranger: tuple[str, type[Stranger]]) -> None:
    with pytest.raises(NotFound, match="redirected more than 5 times"):
        Reader(NOWHERE).get(f"{stranger[0]}/round")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param("slow", "is sent too slowly", id="a byte at a time"),
        pytest.param("drip", "ReadTimeoutError", id="a head, a byte at a time"),
    ],
)
def test_a_slow_server_is_not_waited_for(stranger: tuple[str, type[Stranger]], path: str, problem: str) -> None:
    url, handler = stranger
    with pytest.raises(Unavailable, match=f"{path}: {problem}"):
        Site(f"{url}/", object_seconds=0.3).get(path)
    assert handler.asked == 1


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        pytest.param("{}/cut?X-Amz-Signature=s", ("unreachable", "ProtocolError"), id="breaks off"),
        pytest.param("{}/busy", ("unreachable", "HTTP status 503"), id="is busy"),
        pytest.param("http://no.such.host.invalid/a.jpg", ("unreachable", "NameResolutionError"), id="has no address"),
        pytest.param("http://127.0.0.1:9/a.jpg?sig=s", ("unreachable", "NewConnectionError"), id="refuses"),
        pytest.param("https://{host}/a.jpg", ("unreachable", "SSLError"), id="speaks no TLS"),
        pytest.param("http://[::1/a.jpg", ("unsupported", "is no URL"), id="is none"),
        pytest.param("http://host:port/a.jpg", ("unsupported", "is no URL"), id="has no port"),
        pytest.param("http://" + "x" * 300 + "/a.jpg", ("unreachable", "LocationParseError"), id="has a long name"),
        pytest.param("gs://b ad/a.jpg", ("unsupported", "names no bucket"), id="is in no bucket"),
    ],
)
def test_a_dead_server_is_a_row(stranger: tuple[str, type[Stranger]], uri: str, expected: tuple[str, str]) -> None:
    url = uri.format(stranger[0], host=stranger[0].removeprefix("http://"))
    assert fetcher(NOWHERE)(Row(url, None, None, None, None)) == Failure(*expected)


def test_a_try_is_repeated_some_times(stranger: tuple[str, type[Stranger]]) -> None:
    url, handler = stranger
    fetcher(NOWHERE)(Row(f"{url}/busy", None, None, None, None))
    assert handler.asked == 1 + len(PAUSES_SECONDS)


def test_a_tar_on_a_server_that_is_away_is_no_bad_image() -> None:
    with pytest.raises(Unavailable, match=r"^http://127.0.0.1:9/x.tar: NewConnectionError$"):
        fetcher(NOWHERE)(Row("http://127.0.0.1:9/x.tar?sig=s#1.jpg", "http://127.0.0.1:9/x.tar?sig=s", 512, 9, None))


@pytest.mark.parametrize(
    ("size", "limit", "code"),
    [
        pytest.param(1, MAX_BYTES, "changed", id="more than was planned"),
        pytest.param(None, UNKNOWN_BYTES, "too_large", id="more than there is room for"),
        pytest.param(MAX_BYTES + 1, MAX_BYTES, "too_large", id="planned as too large"),
    ],
)
def test_a_row_takes_no_more_memory_than_it_was_given(
    stranger: tuple[str, type[Stranger]], size: int | None, limit: int, code: str
) -> None:
    url, handler = stranger
    failed = fetcher(NOWHERE)(Row(f"{url}/endless", None, None, size, None), limit)
    assert isinstance(failed, Failure)
    assert failed.code == code
    assert handler.sent < 32 * 2**20


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_connections_to_many_servers_are_not_kept(stranger: tuple[str, type[Stranger]]) -> None:
    port = stranger[0].rpartition(":")[2]
    reader, before = Reader(NOWHERE), _descriptors()
    for number in range(100):
        assert reader.get(f"http://127.0.1.{number}:{port}/good") == PIXELS
    assert _descriptors() - before < 50
