"""The step that computes: a shard's rows through the model, into parts of the output.

A part that is there is done. What a run finds missing it computes, in the plan's order, so a run that was killed goes
on where it stopped, and two at once do no harm: of the same part, one is created and the other told so.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from twins.engines import Engine
from twins.errors import RequestError
from twins.registry import network
from twins_worker import parts, plan, schema
from twins_worker.batches import Batch, Outcomes, joined
from twins_worker.failures import Failure
from twins_worker.fetch import Fetch, Row, fetcher, rows_from
from twins_worker.figures import Figures, Lineage, Value, total
from twins_worker.listing.source import source
from twins_worker.meter import Meter, Stopwatch, with_writing
from twins_worker.pipeline import Expected, Flow, Scored, scored
from twins_worker.settings import Job
from twins_worker.storage import Forbidden, Place, Unavailable, open_place, shown_uri
from twins_worker.streams import batched, ordered_map
from twins_worker.termination import DataError

SEVERAL = 8
"""So many images, and no other, forbidden at a time: that is no matter of single images."""
WRITERS = 2
"""Parts that are being written while the next one is computed."""


class Inferred(Value):
    """What a run of the step did."""

    step: Literal["infer"] = "infer"
    shard: int
    parts_written: int
    parts_found: int
    """Done by another run, before or at the same time: not in the figures."""
    figures: Figures


@dataclass(frozen=True)
class Progress:
    """How far a shard is, in images."""

    done: int
    """Classified or failed by this run."""
    failed: int
    found: int
    """Done by earlier runs."""
    total: int


@dataclass(frozen=True)
class Model:
    """An engine, and what is said with its predictions."""

    engine: Engine
    labels: Sequence[str | None]
    """By class id."""
    lineage: Lineage
    flow: Flow
    """What feeds it."""


def run(
    job: Job,
    shard: int,
    model: Model,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Inferred:
    """Write the parts of ``shard`` that are missing.

    Holds at most ``model.flow.memory_bytes`` of images, and the rows of three parts: one that fills and ``WRITERS``.

    Raises:
        RequestError: the job cannot work, whatever the shard.
        DataError: the plan has no such shard.
        Unavailable: storage is away; what is written stays.
    """
    todo = _todo(job, shard)
    with closing(_written(todo, model, on_progress)) as written:
        results = tuple(written)
    created = [result.figures for result in results if result.created]
    return Inferred(
        shard=shard, parts_written=len(created), parts_found=todo.parts - len(created), figures=total(created)
    )


@dataclass(frozen=True)
class _Shard:
    job: Job
    output: Place
    number: int
    planned: pa.Table
    """Its rows of the plan."""
    images_per_part: int
    missing: Sequence[int]
    """Its parts that are not there."""

    @property
    def parts(self) -> int:
        return -(-self.images // self.images_per_part)

    @property
    def images(self) -> int:
        return len(self.planned)

    @property
    def found(self) -> int:
        """Images of the parts that are there."""
        return self.images - sum(len(self.rows(part)) for part in self.missing)

    def rows(self, part: int) -> pa.Table:
        return self.planned.slice(part * self.images_per_part, self.images_per_part)


@dataclass(frozen=True, eq=False)
class _Part:
    """A part, computed."""

    number: int
    outcomes: Outcomes
    figures: Figures


@dataclass(frozen=True)
class _Written:
    created: bool
    figures: Figures


def _todo(job: Job, number: int) -> _Shard:
    output = open_place(job.output.uri, job.storage, field="output.uri")
    planned = plan.read(output, job)
    if not 0 <= number < planned.shards:
        raise DataError("ShardNotPlanned", f"shard {number} is none of the plan's, which has {planned.shards}")
    rows = plan.rows(output, planned, number)
    there = {found.key for found in output.list(parts.prefix(number))}
    every = range(-(-len(rows) // planned.images_per_part))
    missing = [part for part in every if parts.key(number, part) not in there]
    return _Shard(job, output, number, rows, planned.images_per_part, missing)


def _written(shard: _Shard, model: Model, on_progress: Callable[[Progress], None]) -> Generator[_Written, None, None]:
    job, expected = shard.job, _expected(shard.job)
    with ExitStack() as stack:
        batches, fetch = _batches(shard, model.flow.batch_images), fetcher(job.storage)
        outcomes = stack.enter_context(closing(scored(batches, fetch, model.engine, expected, model.flow)))
        computed = _parts(shard, fetch, _told(outcomes, shard, on_progress))
        write = _writer(shard, model, expected)
        yield from stack.enter_context(closing(ordered_map(write, computed, threads=WRITERS, ahead=WRITERS)))


def _expected(job: Job) -> Expected:
    if job.output.top_k > job.model.num_classes:
        problem = f"is more than the model has classes, which is {job.model.num_classes}"
        raise RequestError("output.topK", job.output.top_k, problem, "Ask for fewer.")
    width = network(job.model.name).widths[-1]
    return Expected(job.model.num_classes, width, job.output.top_k, job.output.embedding)


def _batches(shard: _Shard, size: int) -> Iterator[Batch]:
    for part in shard.missing:
        rows = shard.rows(part)
        for number, batch in enumerate(batched(rows_from(rows), size), start=1):
            yield Batch(part, batch, last=number * size >= len(rows))


def _told(
    outcomes: Iterable[Scored], shard: _Shard, on_progress: Callable[[Progress], None]
) -> Generator[Scored, None, None]:
    done, failed = 0, 0
    for each in outcomes:
        done += len(each.outcomes.failures)
        failed += sum(failure is not None for failure in each.outcomes.failures)
        on_progress(Progress(done, failed, shard.found, shard.images))
        yield each


def _parts(shard: _Shard, fetch: Fetch, outcomes: Iterable[Scored]) -> Iterator[_Part]:
    meter, batches = Meter(), list[Outcomes]()
    for each in outcomes:
        batches.append(each.outcomes)
        if each.last:
            part = joined(batches)
            batches.clear()
            if shard.job.failure_policy.max_failed_images != "100%":
                _refuse_forbidden(shard, each.part, part, fetch)
                _refuse_outage(shard, part)
            yield _Part(each.part, part, meter.figures(part))


def _refuse_forbidden(shard: _Shard, number: int, part: Outcomes, fetch: Fetch) -> None:
    """A right that the job lacks, or lost, is no list of bad images: rows that say so would stay.

    Not so where whoever asked wants every failure as a row. Where a part has images that were read before others were
    forbidden, one of them is tried again.
    """
    forbidden = [failure for failure in part.failures if failure and failure.code == "forbidden"]
    if not forbidden:
        return
    if len(forbidden) == len(part.failures):
        lacking = len(forbidden) >= SEVERAL or not _is_listed(shard.job)
    else:
        lacking = _is_lost(rows_from(shard.rows(number)), part, fetch)
    if lacking:
        problem = f"may not be read: {len(forbidden)} of {len(part.failures)} images of a part are forbidden"
        remedy = "Give the workers credentials that may read it (storage.credentialsSecret, serviceAccountName)."
        raise RequestError("input.uri", shown_uri(shard.job.input.uri), f"{problem} ({forbidden[-1].detail})", remedy)


def _refuse_outage(shard: _Shard, part: Outcomes) -> None:
    """A part none of whose servers answers is rather this machine's network than a list of dead ones."""
    away = [failure for failure in part.failures if failure and failure.code == "unreachable"]
    if SEVERAL <= len(away) == len(part.failures):
        problem = f"none of the servers of a part's {len(away)} images answers ({away[-1].detail})"
        raise Unavailable(shown_uri(shard.job.input.uri), problem)


def _is_lost(rows: Iterable[Row], part: Outcomes, fetch: Fetch) -> bool:
    """Whether an image of ``part`` that could be read may not be any more."""
    row = next((row for row, failure in zip(rows, part.failures, strict=True) if failure is None), None)
    data = None if row is None else fetch(row)
    return isinstance(data, Failure) and data.code == "forbidden"


def _is_listed(job: Job) -> bool:
    """Whether the input may still be looked at."""
    try:
        next(source(job.input, job.storage).objects(), None)
    except Forbidden:
        return False
    return True


def _writer(shard: _Shard, model: Model, expected: Expected) -> Callable[[_Part], _Written]:
    """Encodes a part and creates it, unless another run was faster."""
    columns = schema.predictions(expected.top_k, expected.width if expected.features else None)
    labels = pa.array(model.labels, pa.string())

    def write(part: _Part) -> _Written:
        watch = Stopwatch()
        rows = parts.table(shard.rows(part.number), part.outcomes, labels, columns)
        metadata = parts.metadata(model.lineage, with_writing(part.figures, watch), rows)
        created = shard.output.create(parts.key(shard.number, part.number), schema.write(rows, metadata))
        return _Written(created, with_writing(part.figures, watch))

    return write
