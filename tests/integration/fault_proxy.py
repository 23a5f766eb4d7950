"""A network that fails: an HTTP proxy in front of a real S3 server, which does to each request what a test says.

Requests pass as they are, so signatures stay good. Every request has a connection of its own to the server.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

TIMEOUT_SECONDS = 20
_ERROR = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass(frozen=True)
class Request:
    """What a client asks, in full."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def writes(self) -> bool:
        return self.method in {"PUT", "POST", "DELETE"}


class Reset(Exception):
    """Raised by a fault: the client's connection ends in a reset, at once."""


@dataclass(frozen=True)
class Server:
    """What is behind the proxy. Every request has a connection of its own."""

    port: int

    def answers(self, request: Request) -> bytes:
        """The response, whole."""
        with self._connection() as server, server.makefile("rb") as stream:
            server.sendall(request.head + request.body)
            return _response(stream, request.method)

    def hears_half(self, request: Request) -> None:
        """It gets the first half of the body, and then the end of the connection."""
        with self._connection() as server:
            server.sendall(request.head + request.body[: len(request.body) // 2])

    def _connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_SECONDS)


Fault = Callable[[Request, Server], bytes]
"""What the client gets for a request."""


def passes(request: Request, server: Server) -> bytes:
    return server.answers(request)


def refuses(request: Request, server: Server) -> bytes:
    """503, and the server hears nothing."""
    return b"HTTP/1.1 503 Slow Down\r\nContent-Length: %d\r\n\r\n%b" % (len(_ERROR), _ERROR)


def resets(request: Request, server: Server) -> bytes:
    """The connection breaks before the server hears anything."""
    raise Reset


def halves(request: Request, server: Server) -> bytes:
    """The connection breaks in the middle of the request."""
    server.hears_half(request)
    raise Reset


def forgets(request: Request, server: Server) -> bytes:
    """The server does what it is asked, and the client never hears of it."""
    server.answers(request)
    raise Reset


def cuts(request: Request, server: Server) -> bytes:
    """Half of the response, then the end of the connection."""
    response = server.answers(request)
    return response[: len(response) - len(_body(response)) // 2 - 1]


def dawdles(request: Request, server: Server) -> bytes:
    time.sleep(0.2)
    return server.answers(request)


@dataclass
class FaultProxy:
    """Listens on a port of its own, in front of the server at ``port``. ``fault`` may be set at any time."""

    port: int
    fault: Fault = passes
    requests: list[Request] = field(default_factory=list)
    """All so far."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(TIMEOUT_SECONDS)
        with client, client.makefile("rb") as stream, suppress(OSError):
            while (request := _request(client, stream)) is not None:
                self.requests.append(request)
                try:
                    response = self.fault(request, Server(self.port))
                except (Reset, OSError):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                client.sendall(response)
                if not _whole(request, response):
                    return


def _request(client: socket.socket, stream: BinaryIO) -> Request | None:
    head = _head(stream)
    if not head:
        return None
    if "100-continue" in _headers(head).get("expect", ""):
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    method, target = head.split(b" ", 2)[:2]
    return Request(method.decode(), target.decode(), head, _sized(stream, head))


def _response(stream: BinaryIO, method: str) -> bytes:
    head = _head(stream)
    while head.startswith(b"HTTP/1.1 100"):
        head = _head(stream)
    if not head:
        raise ConnectionError("the server is gone")
    if method == "HEAD" or head.split()[1] in {b"204", b"304"}:
        return head
    if _headers(head).get("transfer-encoding") == "chunked":
        return head + b"".join(_chunks(stream))
    return head + _sized(stream, head)


def _head(stream: BinaryIO) -> bytes:
    lines = []
    while (line := stream.readline()) not in {b"\r\n", b""}:
        lines.append(line)
    return b"".join([*lines, b"\r\n"]) if lines else b""


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}


def _sized(stream: BinaryIO, head: bytes) -> bytes:
    return stream.read(int(_headers(head).get("content-length", 0)))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    size = -1
    while size != 0:
        line = stream.readline()
        size = int(line.split(b";")[0], 16)
        yield line + stream.read(size + 2)


def _body(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


def _whole(request: Request, response: bytes) -> bool:
    """Whether the client has all that it was told to expect, so that the connection may be used again."""
    headers = _headers(response.partition(b"\r\n\r\n")[0] + b"\r\n")
    if request.method == "HEAD":
        return True
    if headers.get("transfer-encoding") == "chunked":
        return response.endswith(b"0\r\n\r\n")
    return len(_body(response)) == int(headers.get("content-length", 0))
