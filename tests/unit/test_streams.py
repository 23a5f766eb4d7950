"""Streams keep order, hold no more than they say, fail at the right place and leave nothing running."""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twins_worker.streams import batched, buffered, ordered_map

Stage = Callable[[Iterable[int]], Generator[int, None, None]]


class BrokenError(Exception):
    """What a stage of a test raises."""


@dataclass
class Source:
    """Counts up to ``length``, fails at ``broken_at``, and knows how many items it has given and that it was closed."""

    length: int
    broken_at: int | None = None
    given: int = 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.length):
            if number == self.broken_at:
                raise BrokenError(number)
            self.given += 1
            yield number


def negated(number: int) -> int:
    time.sleep((number % 3) / 5000)  # so that later items finish before earlier ones
    return -number


def mapped(items: Iterable[int], *, threads: int = 4, ahead: int = 6) -> Generator[int, None, None]:
    return ordered_map(negated, items, threads=threads, ahead=ahead)


def ahead_of(items: Iterable[int]) -> Generator[int, None, None]:
    return buffered(items, ahead=3)


def until_broken(items: Iterable[int]) -> tuple[int, int | None]:
    """How many items came before the error, and where it says that it broke."""
    count = 0
    try:
        for _ in items:
            count += 1
    except BrokenError as error:
        return count, error.args[0]
    return count, None


both_stages = pytest.mark.parametrize(
    "stage", [pytest.param(mapped, id="ordered_map"), pytest.param(ahead_of, id="buffered")]
)
lengths = st.integers(0, 40)
small = st.integers(1, 8)


@given(length=lengths, threads=small, ahead=small)
def test_a_map_in_threads_gives_what_a_plain_map_gives(length: int, threads: int, ahead: int) -> None:
    assert list(mapped(range(length), threads=threads, ahead=ahead)) == [-number for number in range(length)]


@given(length=lengths, ahead=small)
def test_a_buffer_gives_what_it_was_given(length: int, ahead: int) -> None:
    assert list(buffered(range(length), ahead=ahead)) == list(range(length))


@given(items=st.lists(st.none() | st.integers()), size=small)
def test_batches_joined_are_the_items(items: list[int | None], size: int) -> None:
    batches = list(batched(items, size))
    assert [item for batch in batches for item in batch] == items
    assert {len(batch) for batch in batches[:-1]} <= {size}


@given(length=lengths, threads=small, ahead=small)
def test_a_map_never_holds_more_than_ahead(length: int, threads: int, ahead: int) -> None:
    source, held = Source(length), []
    for used, _ in enumerate(mapped(source, threads=threads, ahead=ahead)):
        held.append(source.given - used)
    assert max(held, default=0) <= ahead


@given(length=lengths, ahead=small)
def test_a_buffer_never_runs_further_than_ahead(length: int, ahead: int) -> None:
    source, held = Source(length), []
    for used, _ in enumerate(buffered(source, ahead=ahead)):
        held.append(source.given - used - 1)
    assert max(held, default=0) <= ahead


@given(weights=st.lists(st.integers(0, 50), max_size=40), room=st.integers(1, 100), ahead=small)
def test_what_a_map_holds_fills_no_more_than_the_room_and_one_item(weights: list[int], room: int, ahead: int) -> None:
    taken: list[int] = []

    def recorded() -> Iterator[int]:
        for weight in weights:
            taken.append(weight)
            yield weight

    stage = ordered_map(abs, recorded(), threads=2, ahead=ahead, weigh=lambda weight: weight / room)
    for used, _ in enumerate(stage):
        assert sum(taken[used:]) <= room + max(taken[used:])


@both_stages
@given(length=st.integers(1, 30), data=st.data())
def test_an_error_of_the_source_comes_after_what_precedes_it(stage: Stage, length: int, data: st.DataObject) -> None:
    broken_at = data.draw(st.integers(0, length - 1))
    assert until_broken(stage(Source(length, broken_at))) == (broken_at, broken_at)


@given(length=st.integers(1, 30), ahead=small, data=st.data())
def test_an_error_of_the_function_comes_at_its_place(length: int, ahead: int, data: st.DataObject) -> None:
    broken_at = data.draw(st.integers(0, length - 1))

    def fails(number: int) -> int:
        if number == broken_at:
            raise BrokenError(number)
        return number

    assert until_broken(ordered_map(fails, range(length), threads=3, ahead=ahead)) == (broken_at, broken_at)


@both_stages
@given(length=st.integers(1, 30), data=st.data())
def test_closing_early_takes_nothing_more_and_leaves_no_thread(stage: Stage, length: int, data: st.DataObject) -> None:
    threads, source = threading.active_count(), Source(length)
    results = stage(source)
    for _ in range(data.draw(st.integers(1, length))):
        next(results)
    results.close()
    given_at_close = source.given
    assert threading.active_count() == threads
    assert source.given == given_at_close


@both_stages
def test_an_error_leaves_no_thread(stage: Stage) -> None:
    threads = threading.active_count()
    with pytest.raises(BrokenError):
        list(stage(Source(20, broken_at=11)))
    assert threading.active_count() == threads


def test_a_pipeline_closes_from_the_last_stage_to_the_first() -> None:
    threads, closed = threading.active_count(), []

    def numbers() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append("source")

    with ExitStack() as stack:
        source = stack.enter_context(closing(numbers()))
        doubled = stack.enter_context(closing(ordered_map(negated, source, threads=2, ahead=4)))
        groups = stack.enter_context(closing(batched(doubled, 5)))
        ready = stack.enter_context(closing(buffered(groups, ahead=2)))
        stack.callback(closed.append, "sink")
        assert next(ready) == (0, -1, -2, -3, -4)
    assert closed == ["sink", "source"]
    assert threading.active_count() == threads


def test_the_stages_above_a_buffer_run_while_its_reader_works() -> None:
    ran_ahead = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        ran_ahead.set()
        yield 2

    with closing(buffered(numbers(), ahead=1)) as ready:
        assert next(ready) == 1
        assert ran_ahead.wait(timeout=10)
