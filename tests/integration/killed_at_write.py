"""Runs a module as ``python -m`` does, and kills the process right before the n-th step of its writes to a folder.

    python killed_at_write.py N FOLDER MODULE ARGUMENT...

A file that appears whole takes three: it is opened beside its place, it is given its name, and the other name, where
there still is one, is removed. The interpreter tells of each before it does it (Python, "Audit events table").
"""

import os
import runpy
import signal
import sys
from itertools import count
from typing import Any

STEPS = {"open", "os.link", "os.rename", "os.remove"}


def kill_at(nth: int, folder: str) -> None:
    steps = count(1)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in STEPS and _writes(event, arguments, folder) and next(steps) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _writes(event: str, arguments: tuple[Any, ...], folder: str) -> bool:
    path, *_ = arguments
    if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(folder):
        return False
    return event != "open" or bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))


if __name__ == "__main__":
    _, nth, folder, module, *rest = sys.argv
    sys.argv[1:] = rest
    kill_at(int(nth), folder)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
