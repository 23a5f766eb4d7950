"""The step that vouches for an output: every part is there, of one model, and rows are the planned images.

Then come ``report.html`` and ``_manifest.json``, whatever the job's failures, since a retry of these starts from there;
and last, where they are within bounds, ``_SUCCESS``. All follow from the plan and the parts, so a commit that was
killed, or runs twice, leaves the same.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from twins.errors import RequestError
from twins_worker import footers, manifest, parts, plan, prepare, samples, summary
from twins_worker.fetch import Row, fetcher, rows_from
from twins_worker.figures import Figures, Lineage, Value
from twins_worker.footers import Footer
from twins_worker.manifest import Images
from twins_worker.parts import Extent
from twins_worker.plan import Plan
from twins_worker.prepare import Prepared
from twins_worker.report import FailedImage
from twins_worker.settings import Job
from twins_worker.storage import Object, Place, open_place
from twins_worker.termination import DataError

REPORT, SUCCESS = "report.html", "_SUCCESS"
NAMED = 5
"""Of a long list, so many are named."""


class Committed(Value):
    """What lies in the output."""

    step: Literal["commit"] = "commit"
    images: Images
    failed: Mapping[str, int]
    """Images by failure code."""
    parts: int
    rows: int
    bytes: int
    output: str
    query: str
    """A line to paste into DuckDB."""
    figures: Figures


def run(job: Job) -> Committed:
    """Check the output of ``job``, describe it and vouch for it.

    Raises:
        DataError: parts are missing or are not what was planned or prepared, or more images failed than the job allows.
            In the last case the report and the manifest are there, so that a person can see why and a job try again.
        RequestError: the output holds files of something else, or nothing was prepared.
        Unavailable: storage is away.
    """
    output = open_place(job.output.uri, job.storage, field="output.uri")
    planned = plan.read(output, job)
    extents = parts.planned(planned.images, planned.images_per_shard, planned.images_per_part)
    ends = tuple(footers.read(output, _files(job, output, extents)))
    for end in ends:
        _check_rows(job, planned, extents[end.file.key], end)
    _check_model(prepare.verdict(output, job), ends)
    told = manifest.manifest(job, planned, ends)
    failed = samples.failures(output, ends, _rows_of(output, planned, extents), fetcher(job.storage))
    output.put(REPORT, summary.page(job, told, ends, failed).encode())
    output.put(manifest.KEY, told.model_dump_json(by_alias=True, indent=1).encode())
    _allow(job, told.images, told.figures, failed)
    output.put(SUCCESS, b"")
    return Committed(
        images=told.images,
        failed=told.figures.failed,
        parts=len(ends),
        rows=told.rows,
        bytes=told.bytes,
        output=job.output.uri,
        query=summary.query(job),
        figures=told.figures,
    )


def _files(job: Job, output: Place, extents: Mapping[str, Extent]) -> list[Object]:
    """The files of all parts, in the plan's order."""
    there = {file.key: file for file in output.list(parts.FOLDER)}
    if strays := sorted(there.keys() - extents.keys()):
        problem = f"holds files that are not this job's: {_some(strays)}"
        raise RequestError("output.uri", job.output.uri, problem, "Delete them, or choose an empty prefix.")
    if missing := [key for key in extents if key not in there]:
        raise DataError("PartsMissing", f"{len(missing)} of {len(extents)} parts are missing: {_some(missing)}")
    return [there[key] for key in extents]


def _check_rows(job: Job, planned: Plan, extent: Extent, end: Footer) -> None:
    if (end.lineage.digest, end.lineage.plan) != (job.digest, planned.plan):
        raise DataError("PartsDiffer", f"{end.file.key} is a part of another job or plan")
    if end.rows != extent.rows:
        raise DataError("PartsDiffer", f"{end.file.key} has {end.rows} rows; {extent.rows} were planned")


def _check_model(prepared: Prepared, ends: Sequence[Footer]) -> None:
    """Rows of two models look alike, so what computed a part must be what prepare decided on, and labels the same."""
    decided = prepared.model_digest, prepared.preprocessing_digest, prepared.backend, prepared.precision
    others = [end for end in ends if _computed_by(end.lineage) != decided]
    if others:
        names, found = _some([end.file.key for end in others]), ", ".join(_computed_by(others[0].lineage))
        raise DataError(
            "PartsDiffer",
            f"{len(others)} of {len(ends)} parts are of another model or engine than the job was prepared with: {names}"
            f" ({found}; prepared: {', '.join(decided)}). Delete them and run again, or choose an empty output",
        )
    if len({end.lineage.labels_digest for end in ends}) > 1:
        raise DataError("PartsDiffer", "what model.labels names changed between the parts: choose an empty output")


def _computed_by(lineage: Lineage) -> tuple[str, str, str, str]:
    return lineage.model_digest, lineage.preprocessing_digest, lineage.backend, lineage.precision


def _rows_of(output: Place, planned: Plan, extents: Mapping[str, Extent]) -> samples.PlannedRows:
    def rows(end: Footer) -> list[Row]:
        extent = extents[end.file.key]
        table = plan.rows(output, planned, extent.shard)
        return list(rows_from(table.slice(extent.part * planned.images_per_part, extent.rows)))

    return rows


def _allow(job: Job, images: Images, figures: Figures, failed: Sequence[FailedImage]) -> None:
    most = job.failure_policy.max_failed_images
    allowed = images.planned * int(most.rstrip("%")) // 100 if isinstance(most, str) else most
    if images.failed <= allowed:
        return
    counts = ", ".join(f"{count} {code}" for code, count in figures.failed.items())
    examples = "; ".join(f"{image.uri} ({image.code}: {image.detail})" for image in failed[:NAMED])
    raise DataError(
        "TooManyFailedImages",
        f"{images.failed} of {images.planned} images failed, more than failurePolicy.maxFailedImages allows"
        f" ({most}): {counts}. For example {examples}",
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
