"""``_manifest.json``: the files of an output, what they hold, and where it came from. Only ``_SUCCESS`` beside it says
that the job succeeded: a job with too many failed images has a manifest as well.
"""

from collections.abc import Sequence

import pyarrow as pa

from twins.registry import network
from twins_worker import schema
from twins_worker.figures import Figures, Lineage, Value, total
from twins_worker.footers import Footer
from twins_worker.plan import Plan
from twins_worker.settings import Job
from twins_worker.storage import Place

KEY = "_manifest.json"
VERSION = 1


class Images(Value):
    """How many, by what became of them."""

    planned: int
    succeeded: int
    failed: int
    skipped: int
    """Listed, and no image by name: they have no row."""


class File(Value):
    path: str
    """Below the output."""
    rows: int
    bytes: int | None
    etag: str | None


class Column(Value):
    name: str
    type: str
    """As Arrow writes it."""


class Manifest(Value):
    """The whole of it."""

    version: int = VERSION
    job: str
    digest: str
    """Of what decides the rows of the job."""
    plan: str
    images: Images
    rows: int
    bytes: int
    columns: Sequence[Column]
    lineage: Sequence[Lineage]
    """More than one where workers of several versions wrote."""
    figures: Figures
    files: Sequence[File]
    """In the plan's order, which that of their names is not always."""


def manifest(job: Job, plan: Plan, footers: Sequence[Footer]) -> Manifest:
    """The manifest of the parts that ``footers`` describe, which are all of them."""
    figures = total(footer.figures for footer in footers)
    failed = sum(figures.failed.values())
    return Manifest(
        job=job.name,
        digest=job.digest,
        plan=plan.plan,
        images=Images(planned=plan.images, succeeded=plan.images - failed, failed=failed, skipped=plan.skipped),
        rows=sum(footer.rows for footer in footers),
        bytes=sum(footer.file.bytes or 0 for footer in footers),
        columns=[Column(name=field.name, type=str(field.type)) for field in _columns(job)],
        lineage=_distinct(footers),
        figures=figures,
        files=[
            File(path=each.file.key, rows=each.rows, bytes=each.file.bytes, etag=each.file.etag) for each in footers
        ],
    )


def read(output: Place) -> Manifest:
    """What commit left.

    Raises:
        NotFound: it did not run yet.
    """
    return Manifest.model_validate_json(output.get(KEY))


def _columns(job: Job) -> pa.Schema:
    width = network(job.model.name).widths[-1]
    return schema.predictions(job.output.top_k, width if job.output.embedding else None)


def _distinct(footers: Sequence[Footer]) -> list[Lineage]:
    by_text = {footer.lineage.model_dump_json(): footer.lineage for footer in footers}
    return [by_text[text] for text in sorted(by_text)]
