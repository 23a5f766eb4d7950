"""Streams: generators that map in threads, run ahead, and group. Ordered, bounded, closed like any generator.

A stage does not own the stage above it: whoever composes a pipeline enters each generator on one ``ExitStack``
(``contextlib.closing``), which closes them from the last to the first, whatever ended the run.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(
    fn: Callable[[T], R],
    items: Iterable[T],
    *,
    threads: int,
    ahead: int,
    weigh: Callable[[T], float] = lambda _: 0.0,
) -> Generator[R, None, None]:
    """Map in threads, keep the order, hold at most ``ahead`` items at a time, the one just yielded among them.

    Where items differ much in size, ``weigh`` says what share of the room each fills, and no further item is taken
    while those held fill it: together they never weigh more than 1 and the heaviest of them.

    An error of ``fn`` or of ``items`` is raised at its place, after the results that precede it. Closing drops
    what waits, and returns when the calls that run have returned.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=getattr(fn, "__name__", "map"))
    tasks = _submitted(pool, fn, items, weigh)
    window: deque[tuple[Future[R], float]] = deque()
    held = 0.0
    try:
        while True:
            while len(window) < ahead and held < 1 and (task := next(tasks, None)):
                window.append(task)
                held += task[1]
            if not window:
                return
            future, weight = window.popleft()
            yield future.result()
            held -= weight
    finally:
        pool.shutdown(cancel_futures=True)


def buffered(items: Iterable[T], *, ahead: int) -> Generator[T, None, None]:
    """Run the stages above in a thread of their own, at most ``ahead`` items further than what was yielded.

    Errors are raised at their place. Closing stops the thread as soon as the item that it is at is done.
    """
    source = iter(items)
    pool = ThreadPoolExecutor(1, thread_name_prefix="buffered")
    try:
        window = deque(pool.submit(_following, source) for _ in range(ahead))
        while (item := window.popleft().result()) is not None:
            window.append(pool.submit(_following, source))
            yield item[0]
    finally:
        pool.shutdown(cancel_futures=True)


def batched(items: Iterable[T], size: int) -> Generator[tuple[T, ...], None, None]:
    """Group ``size`` at a time; the last group may be smaller (``itertools.batched`` of Python 3.12)."""
    source = iter(items)
    while batch := tuple(islice(source, size)):
        yield batch


def _submitted(
    pool: ThreadPoolExecutor, fn: Callable[[T], R], items: Iterable[T], weigh: Callable[[T], float]
) -> Generator[tuple[Future[R], float], None, None]:
    """A future and a weight an item; where ``items`` fails, a future that fails the same way, and the end."""
    try:
        for item in items:
            yield pool.submit(fn, item), weigh(item)
    except Exception as error:  # noqa: BLE001  raised again by whoever asks for this future's result
        failed: Future[R] = Future()
        failed.set_exception(error)
        yield failed, 0.0


def _following(source: Iterator[T]) -> tuple[T] | None:
    """The next item, wrapped so that ``None`` may be an item; ``None`` at the end."""
    return next(((item,) for item in source), None)
