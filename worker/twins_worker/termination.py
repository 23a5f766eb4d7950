"""How a step ends: told to stop, and telling what happened."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from twins_worker.exits import Exit

MESSAGE_BYTES = 4096
"""What the kubelet reads of a termination message (Kubernetes, "Determine the reason for pod failure")."""
UNWIND_SECONDS = 5.0
"""What closing the stages may take. A call that hangs in storage must not hold up a node that is being drained."""


class ToldToStop(BaseException):
    """SIGTERM: unwind. Not an ``Exception``, so that nothing takes it for a failure."""


class DataError(Exception):
    """What an earlier step left cannot be worked on, now or on another try: ``Exit.SHARD_CANNOT_WORK``.

    ``reason`` is a word of the API's conditions, ``message`` a sentence for a person.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason, self.message = reason, message

    def __str__(self) -> str:
        return self.message


def end(code: int) -> NoReturn:
    """End the process here and now, its output told.

    Threads of native libraries (pyarrow's) outlive the interpreter, and now and then one of them aborts the process
    when it finds it gone: "terminate called without an active exception". Nothing is left to clean up.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # a pipe or a disk that takes no more; closed; not there
            stream.flush()
    os._exit(code)


@contextmanager
def stoppable(message: "Message") -> Iterator[None]:
    """Within, SIGTERM raises ``ToldToStop`` in the main thread, once.

    Whatever a step writes appears whole or not at all, so its process may end at any moment: where the unwinding takes
    longer than ``UNWIND_SECONDS``, it ends as it is.
    """

    deadline = threading.Timer(UNWIND_SECONDS, _end, [message])
    deadline.daemon = True

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        deadline.start()
        raise ToldToStop

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        deadline.cancel()
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True)
class Message:
    """Where a step says what happened: one JSON value, for the kubelet to put in the pod's status."""

    file: Path | None
    step: str

    def write(self, told: Mapping[str, object]) -> None:
        """Where it cannot be written, nothing is: what a step did does not depend on whether it could be told."""
        if self.file is not None:
            with suppress(OSError):
                self.file.write_bytes(fitted({"step": self.step, **told}))

    def stopped(self) -> None:
        self.write({"reason": "ToldToStop", "message": "SIGTERM; what was written stays, a rerun goes on after it"})


def _end(message: Message) -> None:
    message.stopped()
    os._exit(Exit.TOLD_TO_STOP)


def fitted(told: Mapping[str, object]) -> bytes:
    """``told`` as JSON of at most ``MESSAGE_BYTES``, its longest texts cut where it must be."""
    fields = dict(told)
    while (excess := len(_json(fields)) - MESSAGE_BYTES) > 0:
        longest, text = max(_texts(fields), key=lambda text: len(text[1]))
        fields[longest] = text[: max(len(text) - excess, len(text) // 2) - 1] + "…"
    return _json(fields)


def _texts(fields: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in fields.items() if isinstance(value, str))


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")
