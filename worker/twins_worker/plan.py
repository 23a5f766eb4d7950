"""The step that says what there is to do: one pass over the input, then shards of rows for the workers.

Shards lie below a digest of the job and all rows, so that planners that saw different listings never mix; ``plan.json``
comes last, by a conditional put, and says which digest holds. Planners may be killed at any moment, or run at once.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from twins.engines import GPU_BACKENDS
from twins.errors import RequestError
from twins_worker import listing, parts, schema, spool
from twins_worker.figures import Value
from twins_worker.listing import Skipped
from twins_worker.settings import Job
from twins_worker.spool import Spooled
from twins_worker.storage import Forbidden, NotFound, Place, open_place, shown_uri
from twins_worker.streams import ordered_map

KEY = "_plan/plan.json"
VERSION = 1
MAX_SHARDS = 2_000
IMAGES_PER_PART, IMAGES_PER_PART_ON_GPU = 1_024, 16_384
"""About half a minute of work."""
PARTS_PER_SHARD = 8
WRITERS = 4


class Plan(Value):
    """What was planned: ``plan.json``, and the step's message."""

    version: int = VERSION
    job: str
    """``Job.planned_digest``."""
    plan: str
    """16 hex digits that name the shards' folder: they follow from the job, all rows, and how these are divided."""
    images: int
    skipped: int
    images_per_shard: int
    images_per_part: int
    shards: int
    format: str
    """What the rows are: ``images``, members of a ``tar``, or ``mixed``."""


def run(job: Job, *, on_listed: Callable[[int], None] = lambda _: None) -> Plan:
    """List the input and leave the plan in the output; where one is, it holds and nothing is listed.

    ``on_listed`` is told how many images were found so far. The same listing gives the same plan, to the byte.

    Raises:
        RequestError: the input has no image or cannot be read, or the output holds another job's predictions.
        Unavailable: storage is away for now.
    """
    with _output_errors(job):
        output = open_place(job.output.uri, job.storage, field="output.uri")
        if (earlier := _there(output, job)) is not None:
            return earlier
        if next(output.list(parts.FOLDER), None) is not None:
            raise _foreign(job, f"has files in {parts.FOLDER} that are of no plan there")
    with tempfile.TemporaryFile(prefix="twins-plan-") as file:
        spooled = spool.write(file, listing.entries(job), on_listed=on_listed)
        planned = _plan(job, spooled)
        with _output_errors(job):
            _write_shards(output, planned, file)
            output.create(KEY, planned.model_dump_json(by_alias=True).encode())
            return read(output, job)  # another planner may have been first


def read(output: Place, job: Job) -> Plan:
    """The plan of ``job``.

    Raises:
        RequestError: there is none, or another job's.
    """
    planned = _there(output, job)
    if planned is None:
        raise RequestError("output.uri", job.output.uri, "has no plan", "Run the step plan first.")
    return planned


def rows(output: Place, planned: Plan, shard: int) -> pa.Table:
    """The rows of a shard (``schema.PLAN``)."""
    return pq.read_table(io.BytesIO(output.get(_key(planned, shard))))


def sizes(images: int, asked: int | None, *, gpu: bool) -> tuple[int, int]:
    """Images a shard and a part: minutes, and half a minute, of work; more where there would be too many shards.

    Raises:
        RequestError: ``asked``, images a shard, makes too many.
    """
    part = IMAGES_PER_PART_ON_GPU if gpu else IMAGES_PER_PART
    at_least = -(-images // MAX_SHARDS)
    if asked is not None and asked < at_least:
        problem = f"splits {images} images into more than {MAX_SHARDS} shards"
        raise RequestError("imagesPerShard", asked, problem, f"Ask for {at_least} or more, or for auto.")
    shard = asked or max(PARTS_PER_SHARD * part, -(-at_least // part) * part)
    return min(shard, images), min(part, shard, images)


def name(job: str, rows: str, images_per_shard: int, images_per_part: int) -> str:
    """What the shards' folder is called: of a job's digest and that of its rows, and of all that decides the files."""
    decides = f"{VERSION} {job} {rows} {images_per_shard} {images_per_part}"
    return hashlib.sha256(decides.encode()).hexdigest()[:16]


def _there(output: Place, job: Job) -> Plan | None:
    if output.find(KEY) is None:
        return None
    try:
        planned = Plan.model_validate_json(output.get(KEY))
    except ValidationError as error:
        raise _foreign(job, "has a plan of another version") from error
    if planned.version != VERSION:
        raise _foreign(job, "has a plan of another version")
    if planned.job != job.planned_digest:
        raise _foreign(job, "holds another job's predictions")
    return planned


def _foreign(job: Job, problem: str) -> RequestError:
    return RequestError("output.uri", job.output.uri, problem, "Choose an empty prefix, or delete what is there.")


def _plan(job: Job, spooled: Spooled) -> Plan:
    if not spooled.images:
        raise _empty(job, spooled)
    asked = None if job.images_per_shard == "auto" else job.images_per_shard
    per_shard, per_part = sizes(spooled.images, asked, gpu=job.engine.backend in GPU_BACKENDS)
    return Plan(
        job=job.planned_digest,
        plan=name(job.planned_digest, spooled.digest, per_shard, per_part),
        images=spooled.images,
        skipped=spooled.skipped.total() - spooled.skipped[Skipped.OUTPUT],  # which grows when a planner is killed
        images_per_shard=per_shard,
        images_per_part=per_part,
        shards=-(-spooled.images // per_shard),
        format=_format(spooled),
    )


def _format(spooled: Spooled) -> str:
    if spooled.members in (0, spooled.images):
        return "tar" if spooled.members else "images"
    return "mixed"


def _empty(job: Job, spooled: Spooled) -> RequestError:
    passed_over = ", ".join(f"{count} {why.value}" for why, count in spooled.skipped.most_common())
    problem = f"has no image to predict: {passed_over or 'nothing is there'}"
    return RequestError(
        "input.uri", shown_uri(job.input.uri), problem, "Check the name, input.include and input.exclude."
    )


def _write_shards(output: Place, planned: Plan, file: BinaryIO) -> None:
    shards = enumerate(spool.tables(file, planned.images_per_shard))
    for _ in ordered_map(partial(_write_shard, output, planned), shards, threads=WRITERS, ahead=WRITERS):
        pass


def _write_shard(output: Place, planned: Plan, shard: tuple[int, pa.Table]) -> None:
    """Whoever wrote it first wrote the same."""
    number, table = shard
    output.create(_key(planned, number), schema.write(table, {"twins.job": planned.job, "twins.plan": planned.plan}))


def _key(planned: Plan, shard: int) -> str:
    return f"_plan/{planned.plan}/shard-{shard:05d}.parquet"


@contextmanager
def _output_errors(job: Job) -> Iterator[None]:
    try:
        yield
    except (Forbidden, NotFound) as error:
        remedy = "Check the name, and that the credentials may list, read and write there."
        raise RequestError("output.uri", job.output.uri, f"cannot be used: {error}", remedy) from error
