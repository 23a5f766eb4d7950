"""A real HTTP server with moods: it cuts connections, forgets ranges, changes its mind, is busy."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Mood:
    """How one request is answered. What is left out is as a good server does it."""

    status: int | None = None
    """Nothing but this status."""
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    ignores_range: bool = False
    new_content: bytes | None = None
    """The object becomes this before the answer."""
    etag: str | None = '"{}"'
    """With the content's hash in it; ``None``: no entity tag."""
    drops_length: bool = False
    lies_about_range: bool = False
    """Answers 206 to ``If-Range`` although the object changed."""


@dataclass
class MoodyServer:
    """One object at every path. ``moods`` are for the next requests, in order; later ones are answered well."""

    content: bytes
    moods: list[Mood] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    """The Range header of each request so far."""
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    moody: MoodyServer

    def do_GET(self) -> None:
        moody, mood = self.moody, self.moody.moods.pop(0) if self.moody.moods else Mood()
        moody.ranges.append(self.headers["Range"])
        if mood.new_content is not None:
            moody.content = mood.new_content
        if mood.status:
            self.send_response(mood.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._answer(moody.content, mood)

    def _answer(self, content: bytes, mood: Mood) -> None:
        tag = mood.etag.format(hash(content)) if mood.etag else None
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if self.headers["Range"] else 0
        honoured = start and not mood.ignores_range and (mood.lies_about_range or self.headers["If-Range"] == tag)
        start = start if honoured else 0
        self.send_response(206 if honoured else 200)
        if honoured:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if tag:
            self.send_header("ETag", tag)
        self.close_connection = mood.drops_length or mood.cut_after is not None
        if not mood.drops_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:] if mood.cut_after is None else content[start : start + mood.cut_after])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def moody_server(content: bytes) -> Generator[MoodyServer, None, None]:
    moody = MoodyServer(content)
    handler = type("Handler", (_Handler,), {"moody": moody})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        moody.url = f"http://127.0.0.1:{server.server_address[1]}/weights/small.pdparams?token=secret"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield moody
        server.shutdown()
        thread.join()
