"""The model that prepare decided on, opened, with what is said of its predictions."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import PackageNotFoundError, version

from twins.errors import RequestError
from twins_worker import labels, plan, prepare
from twins_worker.figures import Lineage
from twins_worker.infer import Model
from twins_worker.prepare import Prepared
from twins_worker.settings import Job
from twins_worker.storage import open_place

DISTRIBUTIONS = (
    "twins",
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


@contextmanager
def opened(job: Job) -> Iterator[Model]:
    """The engine of ``job``, closed afterwards.

    Raises:
        RequestError: prepare has not run, or its engine cannot work here.
    """
    output = open_place(job.output.uri, job.storage, field="output.uri")
    prepared = prepare.read(output, job)
    if prepared is None:
        raise RequestError("output.uri", job.output.uri, "has no prepared model", "Run the step prepare first.")
    with closing(prepare.load(prepared, job)) as engine:
        yield Model(engine, labels.of(job), lineage(job, plan.read(output, job).plan, prepared))


def lineage(job: Job, plan_id: str, prepared: Prepared) -> Lineage:
    return Lineage(
        job=job.name,
        digest=job.digest,
        plan=plan_id,
        model=job.model.name,
        model_digest=prepared.model_digest,
        preprocessing_digest=prepared.preprocessing_digest,
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
