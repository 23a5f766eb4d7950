"""urllib3's connections, but that the head of an answer has to come whole in the time that a read may take.

urllib3's timeout is for each read of a socket, and a head may come byte by byte.
"""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # what it warns of, it tells with the whole URL


class Connection(HTTPConnection):
    def getresponse(self) -> Any:
        with _by(self):
            return super().getresponse()


class SecureConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        with _by(self):
            return super().getresponse()


class Connections(HTTPConnectionPool):
    ConnectionCls = Connection


class SecureConnections(HTTPSConnectionPool):
    ConnectionCls = SecureConnection


def pools(*, num_pools: int, maxsize: int) -> urllib3.PoolManager:
    """As ``urllib3.PoolManager``, of such connections."""
    manager = urllib3.PoolManager(num_pools, maxsize=maxsize)
    manager.pool_classes_by_scheme = {"http": Connections, "https": SecureConnections}
    return manager


@contextmanager
def _by(connection: HTTPConnection) -> Iterator[None]:
    """Cut ``connection`` if what is done within takes longer than a read of it may.

    Raises:
        TimeoutError: it was. http.client takes the head for whole where it ends.
    """
    late = threading.Event()
    timer = threading.Timer(float(connection.timeout or 0), _cut, [connection.sock, late])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError


def _cut(connected: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
