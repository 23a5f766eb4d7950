"""How long storage is waited for: long enough to ride out a restart, short enough to be told when it is lost."""

import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

from twins.errors import RequestError
from twins_worker.storage.place import Unavailable

CONNECT_SECONDS = 5
STALL_SECONDS = 30
"""How long a server may be silent in a request."""
OBJECT_SECONDS = 120
"""How long an object of a stranger's server may take, tries and all: 128 MiB at a megabyte a second."""
LONGEST_WAIT_SECONDS = 5.0

T = TypeVar("T")


def retry_seconds() -> float:
    """For how long a request is tried again, from its start: ``$TWINS_RETRY_SECONDS``, or 20.

    Raises:
        RequestError: the variable holds something else.
    """
    asked = os.environ.get("TWINS_RETRY_SECONDS") or "20"
    if not asked.isdecimal():
        raise RequestError("TWINS_RETRY_SECONDS", asked, "is no number of seconds", "Unset it, or write one, as 60.")
    return float(asked)


def patiently(attempt: Callable[[], T]) -> T:
    """What ``attempt`` returns, tried again for ``retry_seconds`` while it raises ``Unavailable``."""
    give_up, wait = time.monotonic() + retry_seconds(), 0.1
    while True:
        try:
            return attempt()
        except Unavailable:
            if time.monotonic() + wait > give_up:
                raise
        time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - so that not all come back at once
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
