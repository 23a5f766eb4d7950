"""``python -m twins_worker plan|prepare|infer|commit``: one step of a job, as a pod runs it.

It logs plain lines to stderr, ends with a code of ``exits.Exit``, and leaves one JSON value that says what happened.
"""

import argparse
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel, ValidationError

from twins.errors import RequestError
from twins_worker.exits import Exit
from twins_worker.settings import Job
from twins_worker.storage import Forbidden, NotFound, StorageError
from twins_worker.termination import DataError, Message, ToldToStop, end, stoppable

STEPS = ("plan", "prepare", "infer", "commit")
KUBELET_READS = Path("/dev/termination-log")
"""There in a container, unless ``terminationMessagePath`` says otherwise."""
SECONDS_BETWEEN_LINES = 10.0


Tell = Callable[[str], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; the exit code."""
    asked = _parser().parse_args(arguments)
    message, tell = Message(asked.termination_log, asked.step), _lines().info
    try:
        with stoppable(message):
            told = _run(asked.step, job_from(asked.job), asked.shard, tell)
    except (ToldToStop, KeyboardInterrupt):
        message.stopped()
        tell("told to stop")
        return Exit.TOLD_TO_STOP
    except (RequestError, DataError, StorageError) as error:
        return _ended(message, tell, *_verdict(error), str(error))
    except OSError as error:  # no room on the disk, no descriptors: of this machine, and of this hour
        return _ended(message, tell, Exit.TRY_AGAIN, type(error).__name__, str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours: the trace is for us, a line for the pod's status
        traceback.print_exc()
        return _ended(message, tell, Exit.FAULT, type(error).__name__, str(error))
    message.write(told.model_dump(mode="json", by_alias=True))
    tell(told.model_dump_json(by_alias=True))
    return Exit.DONE


def _ended(message: Message, tell: Tell, code: int, reason: str, said: str) -> int:
    message.write({"reason": reason, "message": said, "exitCode": code})
    tell(said)
    return code


def _lines() -> logging.Logger:
    """Ours as they come; of the libraries what they warn of."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    lines = logging.getLogger("twins")
    lines.setLevel(logging.INFO)
    return lines


def job_from(text: str) -> Job:
    """A job as JSON, or as ``@`` and the name of a file that holds it.

    Raises:
        RequestError: it is none.
    """
    try:
        return Job.model_validate_json(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except OSError as error:
        raise RequestError("--job", text, f"cannot be read: {error.strerror}", "Name a file of JSON.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "--job"
        raise RequestError(field, first["input"], first["msg"], "crds/twinsjobs.yaml describes each field.") from error


def _run(step: str, job: Job, shard: int | None, tell: Tell) -> BaseModel:
    """Steps are imported when they run: each needs libraries that the others do not."""
    if step == "plan":
        from twins_worker import plan

        return plan.run(job)
    if step == "prepare":
        from twins_worker import prepare

        return prepare.run(job, tell=tell)
    if step == "commit":
        from twins_worker import commit

        return commit.run(job)
    return _infer(job, shard, tell)


def _infer(job: Job, shard: int | None, tell: Tell) -> BaseModel:
    from twins_worker import infer, models

    if shard is None:
        raise RequestError("--shard", "", "is missing", "Give it, or set JOB_COMPLETION_INDEX as an Indexed Job does.")
    last = time.monotonic()

    def on_progress(progress: infer.Progress) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            done = progress.found + progress.done
            tell(f"shard {shard}: {done} of {progress.total} images, {progress.failed} failed")

    with models.opened(job) as model:
        return infer.run(job, shard, model, on_progress=on_progress)


def _verdict(error: RequestError | DataError | StorageError) -> tuple[Exit, str]:
    """The exit code and, in one word, why."""
    match error:
        case RequestError():
            return Exit.REQUEST_CANNOT_WORK, "RequestCannotWork"
        case DataError():
            return Exit.SHARD_CANNOT_WORK, error.reason
        case Forbidden() | NotFound():
            return Exit.REQUEST_CANNOT_WORK, type(error).__name__
        case _:
            return Exit.TRY_AGAIN, type(error).__name__


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(Exit.REQUEST_CANNOT_WORK, f"{message}\n{self.format_usage()}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m twins_worker", description="One step of a job.")
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--job", required=True, metavar="JSON", help="the job, or @FILE")
    parser.add_argument("--shard", type=int, default=os.environ.get("JOB_COMPLETION_INDEX"), metavar="N")
    there = KUBELET_READS if KUBELET_READS.exists() else None
    parser.add_argument("--termination-log", type=Path, default=there, metavar="PATH")
    return parser


if __name__ == "__main__":
    end(main())
