"""A job from the command line: from a file, or from options that become the same resource and are judged the same."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twins.errors import RequestError
from twins_cli import options
from twins_cli.options import Sets

if TYPE_CHECKING:
    from twins_worker.settings import Job

NAME = "local"
"""What a job from options is called."""
FALLBACK = "alt_gvt_small"
"""The network of a verb that was told none."""


def job(asked: options.Job) -> "Job":
    """The job that was asked for.

    Raises:
        RequestError: a file and options together, or too few options.
        ExceptionGroup: of a RequestError for each thing that is wrong with it.
    """
    given = options.given(asked)
    if asked.file is None:
        return _from_options(given)
    if given:
        spelt = ", ".join(options.sets()[name].spelt for name in given)
        raise RequestError("-f", asked.file, f"cannot go with {spelt}", "Write it into the file, or use options alone.")
    return _from_file(asked.file)


def trial(asked: options.Model, source: str, target: Path, **more: Any) -> "Job":
    """A job that a verb runs for its own ends."""
    given = {"model": FALLBACK, **options.given(asked), "source": source, "target": str(target), "max_failed": "100%"}
    return _from_options({**given, **more})


@contextmanager
def in_words_of_options(asked: options.Job | None = None) -> Iterator[None]:
    """Within, errors name the option (``--precision``) where a person wrote options and no file."""
    try:
        yield
    except RequestError as error:
        if asked is not None and asked.file is not None:
            raise
        raise _as_option(error) from error


def uri(text: str) -> str:
    """A place as a resource names it: a path becomes ``file://``."""
    if "://" in text or text.startswith("random:"):
        return text
    return _absolute(text).as_uri() + ("/" if text.endswith("/") else "")


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - a link stays what the person wrote


def _from_file(file: Path) -> "Job":
    from twins_cli import resource
    from twins_cli.job import local_job

    found = resource.only(resource.read(file), str(file))
    if problems := resource.problems(found, in_cluster=False):
        raise ExceptionGroup(str(file), list(problems))
    return local_job(found)


def _from_options(given: Mapping[str, Any]) -> "Job":
    from twins_cli import resource
    from twins_cli.job import local_job

    known = options.sets()
    if missing := [known[name].spelt for name in ("model", "source", "target") if name not in given]:
        remedy = "For example: twins run --model alt_gvt_small photos/ predictions/"
        raise RequestError(", ".join(missing), None, "is missing", remedy)
    spec: dict[str, Any] = {}
    for name, value in given.items():
        _put(spec, known[name].field.split("."), _value(value, known[name]))
    made = resource.made(spec, NAME)
    if problems := resource.problems(made, in_cluster=False):
        raise ExceptionGroup("options", [_as_option(problem) for problem in problems])
    return local_job(made)


def _value(value: Any, sets: Sets) -> Any:
    if sets.place:
        return uri(value)
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _put(spec: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        spec = spec.setdefault(name, {})
    spec[path[-1]] = value


def _as_option(error: RequestError) -> RequestError:
    spelt = {sets.field: sets.spelt for sets in options.sets().values()}
    remedy = error.remedy
    for field in sorted(spelt, key=len, reverse=True):
        remedy = remedy.replace(f"spec.{field}", spelt[field])
    field = error.field.removeprefix("spec.")
    return RequestError(spelt.get(field, error.field), error.value, error.problem, remedy)
