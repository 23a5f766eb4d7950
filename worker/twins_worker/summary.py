"""The report's figures, from what the parts of an output say of themselves."""

from collections.abc import Sequence
from datetime import datetime

from twins_worker import labels
from twins_worker.figures import summed
from twins_worker.footers import Footer
from twins_worker.manifest import Manifest
from twins_worker.report import CLASSES, ClassCount, FailedImage, Part, Report, render
from twins_worker.settings import Job
from twins_worker.storage import shown_uri

"""So many of the most frequent are shown."""


def page(job: Job, manifest: Manifest, footers: Sequence[Footer], failed: Sequence[FailedImage]) -> str:
    """The report, as HTML."""
    return render(
        Report(
            job=job.name,
            model=_model(job),
            engine=", ".join(sorted({f"{each.backend}, {each.precision}" for each in manifest.lineage})),
            input=shown_uri(job.input.uri),
            output=job.output.uri,
            planned=manifest.images.planned,
            succeeded=manifest.images.succeeded,
            failed=manifest.figures.failed,
            query=query(job),
            lineage=_lineage(manifest),
            bytes_read=manifest.figures.bytes,
            parts=tuple(_part(footer) for footer in footers),
            stage_seconds=manifest.figures.wall_seconds,
            classes=_classes(job, footers),
            failures=tuple(failed),
        )
    )


def _model(job: Job) -> str:
    weights = job.model.weights or ""
    meaningless = f" with RANDOM WEIGHTS ({weights}), so that its classes mean nothing,"
    return job.model.name + (meaningless if weights.startswith("random:") else "")


def query(job: Job) -> str:
    """A line to paste into DuckDB."""
    files = f"{job.output.uri.rstrip('/')}/data/*.parquet".replace("'", "''")
    chosen = "WHERE error IS NULL GROUP BY label ORDER BY images DESC;"
    return f"SELECT label, count(*) AS images FROM '{files}' {chosen}"  # noqa: S608 - text for a person


def _lineage(manifest: Manifest) -> dict[str, str]:
    """One value a name; several where workers differed."""
    told: dict[str, list[str]] = {}
    for each in manifest.lineage:
        flat = each.model_dump(exclude={"versions", "job"}) | dict(each.versions)
        for name, value in flat.items():
            told.setdefault(name, []).append(value)
    return {name: ", ".join(sorted(set(values))) for name, values in told.items()}


def _part(footer: Footer) -> Part:
    figures = footer.figures
    failed = sum(figures.failed.values())
    return Part(_epoch(figures.start), _epoch(figures.end), figures.images, failed)


def _epoch(time: str | None) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def _classes(job: Job, footers: Sequence[Footer]) -> tuple[ClassCount, ...]:
    counts = summed(footer.classes for footer in footers)
    names = labels.of(job)
    most = sorted(counts, key=lambda class_id: (-counts[class_id], class_id))[:CLASSES]
    return tuple(ClassCount(class_id, names[class_id] or f"class {class_id}", counts[class_id]) for class_id in most)
