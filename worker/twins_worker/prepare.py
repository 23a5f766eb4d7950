"""The step that makes the model ready: exported, reduced and guarded where asked, compiled, shared, an engine chosen.

Every shard reads the verdict from the output (``_plan/prepared.json``), so all rows of a job come from one engine.
"""

from typing import Literal

from twins import engines
from twins.errors import RequestError
from twins.exported import Exported
from twins_worker import choose, exported, guard, sample, settings
from twins_worker.exported import Tell
from twins_worker.figures import Value
from twins_worker.model_cache import ModelCache, of_job
from twins_worker.settings import Job
from twins_worker.storage import NotFound, Place, open_place

PREPARED = "_plan/prepared.json"
CALIBRATED_OF = 4
"""One picture in so many of the guard's sample calibrates int8; the guard looks at all."""


class Prepared(Value):
    """What prepare decided, for every shard of the job and for ``status.resolved``."""

    step: Literal["prepare"] = "prepare"
    job: str
    """``Job.prepared_digest``."""
    key: str
    """Names the model in the cache."""
    model_digest: str
    preprocessing_digest: str
    backend: str
    precision: str
    batch_size: int | None
    """Images a call; ``None``: what suits the engine."""
    why: str
    agreement: float | None = None
    """Top-1 agreement of a reduced precision with FP32 on the sample; none for FP32."""


def run(job: Job, *, tell: Tell = lambda _: None) -> Prepared:
    """Make the model of ``job`` ready and leave the verdict in the output. Running it again changes nothing.

    Raises:
        RequestError: weights, engine or precision cannot work, or the accuracy guard says no.
        Unavailable: storage is away for now.
    """
    output = open_place(job.output.uri, job.storage, field="output.uri")
    if (earlier := read(output, job)) is not None:
        return earlier
    prepared = _prepare(job, of_job(job), tell)
    output.create(PREPARED, prepared.model_dump_json(by_alias=True).encode())
    return read(output, job) or prepared


def read(output: Place, job: Job) -> Prepared | None:
    """What an earlier run decided; ``None`` where there was none.

    Raises:
        RequestError: the output is another job's.
    """
    try:
        prepared = Prepared.model_validate_json(output.get(PREPARED))
    except NotFound:
        return None
    if prepared.job != job.prepared_digest:
        problem, remedy = "holds another job's predictions", "Choose an empty prefix, or delete what is there."
        raise RequestError("output.uri", job.output.uri, problem, remedy)
    return prepared


def verdict(output: Place, job: Job) -> Prepared:
    """As ``read``, of a job that was prepared.

    Raises:
        RequestError: it was not, or the output is another job's.
    """
    if (prepared := read(output, job)) is None:
        raise RequestError("output.uri", job.output.uri, "has no prepared model", "Run the step prepare first.")
    return prepared


def load(prepared: Prepared, job: Job) -> engines.Engine:
    """The engine that ``prepared`` names, from this machine's cache or the job's.

    Raises:
        RequestError: the model is in neither, or the engine cannot run here.
    """
    cache = of_job(job)
    if cache.find(prepared.key) is None:
        problem = "is in no cache any more"
        remedy = f"Choose an empty output; or, if the weights are what they were, delete {PREPARED} and run again."
        raise RequestError("storage.cache", prepared.key, problem, remedy)
    return _open(cache, prepared.key, prepared.backend, job.engine)


def _prepare(job: Job, cache: ModelCache, tell: Tell) -> Prepared:
    asked = job.engine
    pictures = sample.pictures(job, asked.guard.sample) if asked.precision != "fp32" else None
    key = exported.model(job, cache, tell)
    if pictures is not None and asked.precision == "int8":
        key = exported.reduced(key, cache, pictures[::CALIBRATED_OF], tell)
    choice = choose.choose(asked, cache.path(key), cache.local / "verdicts")
    tell(f"engine {choice.backend}: {choice.why}")
    cache.share(key)
    _open(cache, key, choice.backend, asked).close()
    agreement = guard.check(asked, choice.backend, cache.path(key), pictures) if pictures is not None else None
    described = Exported.read(cache.path(key))
    return Prepared(
        job=job.prepared_digest,
        key=key,
        model_digest=described.weights,
        preprocessing_digest=described.preprocessing,
        backend=choice.backend,
        precision=asked.precision,
        batch_size=asked.images_per_call,
        why=choice.why,
        agreement=agreement,
    )


def _open(cache: ModelCache, key: str, backend: str, asked: settings.Engine) -> engines.Engine:
    """Load the model ``key``; what the engine compiles is found in the cache, or shared through it, as an entry."""
    compiled = engines.compiled_name(backend, asked.precision, asked.images_per_call)
    if compiled is not None:
        cache.find(f"{key}/{compiled}")
    engine = engines.load(backend, cache.path(key), precision=asked.precision, batch_size=asked.images_per_call)
    if compiled is not None:
        cache.share(f"{key}/{compiled}")
    return engine
