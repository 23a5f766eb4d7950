"""From batches of rows to scored batches: fetch, decode and infer side by side, in order, in bounded memory."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np

from twins.engines import Engine, Prediction
from twins.errors import RequestError
from twins.preprocess import Undecodable, read
from twins_worker import memory, ranking
from twins_worker.batches import IMAGE_BYTES, Batch, Outcomes
from twins_worker.failures import Failure, failure
from twins_worker.fetch import MAX_BYTES, Fetch, Row
from twins_worker.meter import Stopwatch
from twins_worker.streams import buffered, ordered_map

UNKNOWN_BYTES = 4 * 2**20
"""What a row without a planned size may have when it is first fetched; a larger one waits until a decoder wants it."""

DECODE_BYTES = 512 * 2**20
"""For each thread that decodes, where no limit says less: a picture of 44 megapixels."""


@dataclass(frozen=True)
class Flow:
    """How many images, and bytes of them, a pipeline holds at a time."""

    batch_images: int
    """What the engine is given at a time; it splits that as suits its device."""
    fetch_threads: int
    fetch_ahead: int
    """Images on their way or waiting for a decoder."""
    decode_threads: int
    fetch_ahead_bytes: int = 128 * 2**20
    """Of images on their way or waiting: few large photographs, or many small ones."""
    batches_ahead: int = 2
    decode_bytes: int = DECODE_BYTES
    """Of pictures that are decoded at a time; a picture that takes more is decoded alone."""

    @classmethod
    def on(cls, cores: int, *, batch_images: int = 32, limit_bytes: int | None = None) -> "Flow":
        """One that keeps so many cores busy with decoding, from a storage tens of milliseconds away.

        Where the process may use ``limit_bytes``, pictures that are decoded take a quarter of it at most.
        """
        fetch_threads = min(16 * cores, 256)
        decode_bytes = cores * DECODE_BYTES if limit_bytes is None else min(cores * DECODE_BYTES, limit_bytes // 4)
        return cls(
            batch_images,
            fetch_threads,
            fetch_ahead=4 * fetch_threads,
            decode_threads=cores,
            decode_bytes=decode_bytes,
        )

    @property
    def decode_ahead(self) -> int:
        return 2 * self.decode_threads

    @property
    def memory_bytes(self) -> int:
        """The most that images take: ahead x item size, summed over the stages. Rows that wait for their part come on
        top, and so do the engine and the interpreter.
        """
        fetched = 2 * (self.fetch_ahead_bytes + MAX_BYTES)  # one window that fetches, one that decodes
        decoding = max(self.decode_bytes, memory.LARGEST_BYTES)
        begun = -(-(self.fetch_ahead + self.decode_ahead) // self.batch_images)
        batches = begun + self.batches_ahead + 3  # one being closed, one in the engine, one being ranked
        return fetched + decoding + batches * self.batch_images * IMAGE_BYTES


@dataclass(frozen=True)
class Expected:
    """What a model must give, by the job: anything else is another model."""

    classes: int
    width: int
    """Of the features."""
    top_k: int
    features: bool
    """Whether they are kept."""


@dataclass(frozen=True, eq=False, slots=True)
class Scored:
    """What became of a batch of ``part``."""

    part: int
    last: bool
    """Whether it ends the part."""
    outcomes: Outcomes


def scored(
    batches: Iterable[Batch], fetch: Fetch, engine: Engine, expected: Expected, flow: Flow
) -> Generator[Scored, None, None]:
    """What becomes of each batch, in order. Closing ends every thread.

    Raises:
        RequestError: the model is not the one that the job describes.
        Unavailable: storage is away.
    """
    with ExitStack() as stack:
        slots = (_Slot(batch, index) for batch in batches for index in range(len(batch.rows)))
        fetched = stack.enter_context(closing(_fetched(slots, fetch, flow)))
        decoded = stack.enter_context(closing(_decoded(fetched, fetch, flow)))
        filled = stack.enter_context(closing(buffered(_filled(decoded), ahead=flow.batches_ahead)))
        ranked = stack.enter_context(closing(buffered(_ranked(filled, engine, expected), ahead=1)))
        yield from ranked


@dataclass(frozen=True, slots=True)
class _Slot:
    """One image's place in its batch."""

    batch: Batch
    index: int

    @property
    def row(self) -> Row:
        return self.batch.rows[self.index]


@dataclass(frozen=True, slots=True)
class _Fetched:
    slot: _Slot
    data: bytes | Failure | None
    """``None``: larger than ``UNKNOWN_BYTES``, and not fetched yet."""


def _fetched(slots: Iterable[_Slot], fetch: Fetch, flow: Flow) -> Generator[_Fetched, None, None]:
    def fetch_one(slot: _Slot) -> _Fetched:
        data = _timed(fetch, slot, UNKNOWN_BYTES)
        is_larger = slot.row.bytes is None and isinstance(data, Failure) and data.code == "too_large"
        return _Fetched(slot, None if is_larger else data)

    def share(slot: _Slot) -> float:
        size = UNKNOWN_BYTES if slot.row.bytes is None else slot.row.bytes
        return min(size, MAX_BYTES) / flow.fetch_ahead_bytes

    return ordered_map(fetch_one, slots, threads=flow.fetch_threads, ahead=flow.fetch_ahead, weigh=share)


def _timed(fetch: Fetch, slot: _Slot, limit: int) -> bytes | Failure:
    watch = Stopwatch()
    data = fetch(slot.row, limit)
    slot.batch.seconds[slot.index, :2] += watch.wall, watch.cpu
    return data


def _decoded(fetched: Iterable[_Fetched], fetch: Fetch, flow: Flow) -> Generator[_Slot, None, None]:
    room = memory.Room(flow.decode_bytes)

    def decode_one(fetched: _Fetched) -> _Slot:
        slot = fetched.slot
        data = _timed(fetch, slot, MAX_BYTES) if fetched.data is None else fetched.data
        with room.taken(0 if isinstance(data, Failure) else memory.decoding_bytes(data)):
            watch = Stopwatch()
            _fill(slot.batch, slot.index, data)
            slot.batch.seconds[slot.index, 2:] = watch.wall, watch.cpu
        return slot

    def share(fetched: _Fetched) -> float:
        if isinstance(fetched.data, Failure):
            return 0.0
        return (MAX_BYTES if fetched.data is None else len(fetched.data)) / flow.fetch_ahead_bytes

    return ordered_map(decode_one, fetched, threads=flow.decode_threads, ahead=flow.decode_ahead, weigh=share)


def _fill(batch: Batch, index: int, data: bytes | Failure) -> None:
    if isinstance(data, Failure):
        batch.failures[index] = data
        return
    batch.fetched_bytes[index] = len(data)
    try:
        picture = read(data)
    except Undecodable as error:
        batch.failures[index] = failure(error.code, error.detail)
        return
    batch.images[index] = picture.pixels
    batch.sizes[index] = picture.width, picture.height


def _filled(slots: Iterable[_Slot]) -> Iterator[Batch]:
    """Slots come in order: with its last one, a batch is filled."""
    for slot in slots:
        if slot.index == len(slot.batch.rows) - 1:
            yield slot.batch


def _ranked(batches: Iterable[Batch], engine: Engine, expected: Expected) -> Iterator[Scored]:
    waiting = time.perf_counter()
    for batch in batches:
        start = time.perf_counter()
        prediction = _prediction(batch, engine, expected)
        seconds = time.perf_counter() - start
        yield Scored(batch.part, batch.last, _outcomes(batch, prediction, expected, seconds, start - waiting))
        waiting = time.perf_counter()


def _outcomes(
    batch: Batch, prediction: Prediction, expected: Expected, infer_seconds: float, waited_seconds: float
) -> Outcomes:
    class_ids, scores = ranking.best(prediction.logits, expected.top_k)
    features = prediction.features if expected.features else prediction.features[:, :0]
    return Outcomes(
        batch.failures,
        batch.sizes,
        batch.fetched_bytes,
        batch.seconds,
        class_ids,
        scores,
        features,
        infer_seconds,
        waited_seconds,
    )


def _prediction(batch: Batch, engine: Engine, expected: Expected) -> Prediction:
    pictures = batch.pictures
    if not len(pictures):
        nothing = np.empty((0, expected.classes), np.float32), np.empty((0, expected.width), np.float32)
        return Prediction(*nothing)
    prediction = engine.run(pictures)
    _check(prediction, expected)
    return prediction


def _check(prediction: Prediction, expected: Expected) -> None:
    classes, width = prediction.logits.shape[1], prediction.features.shape[1]
    if classes != expected.classes:
        problem = f"is not what the model has, which is {classes}"
        raise RequestError("model.numClasses", expected.classes, problem, f"Set it to {classes}.")
    if width != expected.width:
        problem = f"gives features of {width} numbers; {expected.width} are expected"
        raise RequestError("model.weights", "", problem, "Name a model that was exported from model.name.")
    if not np.isfinite(prediction.logits).all():
        raise RequestError("model.weights", "", "gives logits that are no numbers", "Use fp32, or other weights.")
