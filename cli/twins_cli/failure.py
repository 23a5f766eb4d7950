"""How a failure ends the command: a sentence and an exit code, no traceback for what a person can change."""

import os
from collections.abc import Iterator

from twins.errors import RequestError
from twins_worker.exits import Exit

_INSTALL = "in a checkout, pip install '.[worker-cpu,cli]'"


def sentence(error: RequestError) -> str:
    """``spec.engine.precision: "fp99" is not one of fp32, fp16. Choose one of them.``"""
    shown = f'"{error.value}" ' if isinstance(error.value, str | int | float | os.PathLike) else ""
    return f"{error.field}: {shown if _follows(error.problem) else ''}{error.problem}. {error.remedy}".strip()


def verdict(error: Exception) -> tuple[int, tuple[str, ...]] | None:
    """The exit code and what to say; ``None`` for a fault of ours, which deserves its traceback."""
    match error:
        case ExceptionGroup():
            errors = tuple(_requests(error))
            return (Exit.REQUEST_CANNOT_WORK, tuple(map(sentence, errors))) if errors else None
        case RequestError():
            return Exit.REQUEST_CANNOT_WORK, (sentence(error),)
        case ModuleNotFoundError() if not (error.name or "").startswith("twins"):
            return Exit.REQUEST_CANNOT_WORK, (f"This needs the package {error.name}. Install it: {_INSTALL}",)
        case BrokenPipeError():
            return Exit.DONE, ()
        case OSError() if error.filename:
            said = f"{os.fsdecode(error.filename)}: {error.strerror}."
            return Exit.REQUEST_CANNOT_WORK, (f"{said} Models are kept below $TWINS_CACHE, by default ~/.cache/twins.",)
        case _:
            return _of_a_step(error)


def _of_a_step(error: Exception) -> tuple[int, tuple[str, ...]] | None:
    """The errors of the worker's steps: it is installed, or they could not have been raised."""
    from twins_worker.storage import Forbidden, NotFound, StorageError
    from twins_worker.termination import DataError

    match error:
        case DataError():
            return Exit.SHARD_CANNOT_WORK, (str(error),)
        case Forbidden() | NotFound():
            return Exit.REQUEST_CANNOT_WORK, (str(error),)
        case StorageError():
            return Exit.TRY_AGAIN, (f"{error}. The same command goes on where this one stopped.",)
        case _:
            return None


def _requests(group: ExceptionGroup[Exception]) -> Iterator[RequestError]:
    return (error for error in group.exceptions if isinstance(error, RequestError))


def _follows(problem: str) -> bool:
    """Whether a problem is the rest of a sentence that the value begins ("is empty"), not one of its own."""
    return problem.split(" ", 1)[0] in {"is", "has", "holds", "lies", "must", "cannot", "names", "needs", "may", "in"}
