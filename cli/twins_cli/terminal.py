"""Where the command speaks: results to standard output, everything else to standard error."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from twins_worker import wording

SECONDS_BETWEEN_LINES = 10.0
"""Where no terminal shows a bar, a line so often."""
PIPE_WIDTH = 250
"""Characters of a line that nobody looks at in a window."""


class Format(StrEnum):
    """How results are written."""

    text = "text"
    json = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="Of results: text for eyes, json for programs.")]


class Advance(Protocol):
    """Tells how far something is."""

    def __call__(self, done: int, *, failed: int = 0, total: int | None = None) -> None: ...


def say(text: str) -> None:
    """A line about what is going on."""
    _console(error=True).print(escape(text), soft_wrap=True, highlight=False)


def tell(text: str) -> None:
    """A line of the result."""
    _console().print(escape(text), soft_wrap=True, highlight=False)


def tell_json(value: Any) -> None:
    """The result, for a program."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def tell_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Rows of the result. Numbers stand to the right."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numbers = all(_is_number(row[index]) for row in cells)
        table.add_column(column, justify="right" if numbers and cells else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(escape, row))
    _console().print(table)


@contextmanager
def progress(title: str, total: int | None = None, *, unit: str = "images") -> Iterator[Advance]:
    """How far something is, while it goes on: a bar on a terminal, a line now and then elsewhere."""
    console = _console(error=True)
    if not console.is_terminal:
        yield _Lines(title, total, unit)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[failed]}"), console=console, transient=True) as bars:
        task = bars.add_task(title, total=total, failed="")

        def advance(done: int, *, failed: int = 0, total: int | None = None) -> None:
            said = f"[red]{failed} failed" if failed else ""
            bars.update(task, completed=done, total=total or bars.tasks[0].total, failed=said)

        yield advance


def record(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[Mapping[str, object]]:
    """A table as JSON has it."""
    return [dict(zip(columns, row, strict=True)) for row in rows]


class _Lines:
    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._start = self._told = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, *, failed: int = 0, total: int | None = None) -> None:
        self._total = total or self._total
        self._first = done if self._first is None else self._first
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        rate = (done - self._first) / (now - self._start)
        of = f" of {self._total}" if self._total else ""
        left = f", {wording.duration((self._total - done) / rate)} left" if self._total and rate else ""
        lost = f", {failed} failed" if failed else ""
        say(f"{self._title}: {done}{of} {self._unit}{lost}, {wording.rate(rate)}/s{left}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{wording.rate(task.speed)}/s" if task.speed else "", style="cyan")


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(".", "", 1).isdecimal()


def _console(*, error: bool = False) -> Console:
    console = Console(stderr=error)
    return console if console.is_terminal else Console(stderr=error, width=PIPE_WIDTH)
