"""The model that prepare decided on, opened, with what is said of its predictions."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import PackageNotFoundError, version

from twins import engines
from twins.engines.cores import available_cores
from twins.registry import network
from twins_worker import labels, memory, plan, prepare
from twins_worker.figures import Lineage
from twins_worker.infer import Model
from twins_worker.pipeline import Flow
from twins_worker.prepare import Prepared
from twins_worker.settings import Job
from twins_worker.storage import open_place, shown_uri

DISTRIBUTIONS = (
    "twins-batch",
    "openvino",
    "onnxruntime",
    "onnxruntime-gpu",
    "paddlepaddle",
    "paddlepaddle-gpu",
    "opencv-python-headless",
    "pillow",
    "numpy",
)
"""What rows depend on: our code, what computes, what decodes."""


IMAGES_ON_CPU, IMAGES_ON_GPU = 32, 64
"""About a second of work, and what the GPU engines take a call."""


@contextmanager
def opened(job: Job) -> Iterator[Model]:
    """The engine of ``job``, closed afterwards.

    Raises:
        RequestError: prepare has not run, or its engine cannot work here.
    """
    output = open_place(job.output.uri, job.storage, field="output.uri")
    prepared = prepare.verdict(output, job)
    with closing(prepare.load(prepared, job)) as engine:
        names = labels.of(job)
        told = lineage(job, plan.read(output, job).plan, prepared, labels.digest(names))
        yield Model(engine, names, told, flow(prepared))


def flow(prepared: Prepared) -> Flow:
    """A batch is a whole number of the engine's calls, and about as much as hides what handing it over costs."""
    device = IMAGES_ON_GPU if prepared.backend in engines.GPU_BACKENDS else IMAGES_ON_CPU
    call = prepared.batch_size or device
    batch_images = call * max(1, device // call)
    return Flow.on(available_cores(), batch_images=batch_images, limit_bytes=memory.limit())


def lineage(job: Job, plan_id: str, prepared: Prepared, labels_digest: str) -> Lineage:
    return Lineage(
        job=job.name,
        digest=job.digest,
        plan=plan_id,
        model=job.model.name,
        weights=shown_uri(job.model.weights or network(job.model.name).weights_url),
        model_digest=prepared.model_digest,
        preprocessing_digest=prepared.preprocessing_digest,
        labels_digest=labels_digest,
        backend=prepared.backend,
        precision=prepared.precision,
        versions=dict(_versions()),
    )


def _versions() -> Iterator[tuple[str, str]]:
    for name in DISTRIBUTIONS:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
