"""A real S3 server: versitygw over a folder, with its metadata in extended attributes.

Without those it would return no etags and ignore ``If-None-Match``: conditional writes would silently overwrite.
"""

import itertools
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from twins_worker import settings

VERSITYGW = Path(__file__).parents[2] / ".cache/tools/versitygw"
ACCESS_KEY, SECRET_KEY = "TWINSTESTACCESSKEY", "twins-test-secret-key"
_numbers = itertools.count()


def _free_port() -> int:
    """Below the ports that connections take for themselves, so that it is still free after a restart."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


@dataclass
class S3Server:
    """versitygw on a folder and a port of its own, which stay the same when it is stopped and started again."""

    folder: Path
    port: int = field(default_factory=_free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def storage(self) -> settings.Storage:
        """What a job says to reach it."""
        return settings.Storage(endpoint=self.endpoint, region="us-east-1")

    @property
    def client(self) -> Any:
        """boto3's, for a test to look and to arrange with."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def start(self) -> None:
        """Start it and return when it answers."""
        (self.folder / "buckets").mkdir(parents=True, exist_ok=True)
        with (self.folder / "versitygw.log").open("ab") as log:
            self._process = subprocess.Popen(
                [VERSITYGW, "--port", f"127.0.0.1:{self.port}", "posix", self.folder / "buckets"],
                env={**os.environ, "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "versitygw.log").read_text()
            assert time.monotonic() < deadline, "versitygw does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def create_bucket(self) -> str:
        """A new, empty bucket's name."""
        name = f"bucket-{next(_numbers)}"
        self.client.create_bucket(Bucket=name)
        return name

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
