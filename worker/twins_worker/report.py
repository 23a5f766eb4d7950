"""``report.html``: what a job did, on one page that needs nothing but itself.

No script, no request: styles and pictures are inside, and the page's own policy forbids the rest. All text comes from
strangers (keys, labels, error details), so the template escapes it, and pictures are decoded and encoded anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jinja2 import Environment, PackageLoader, StrictUndefined


@dataclass(frozen=True)
class Part:
    """One written part: times in seconds since the epoch."""

    started: float
    ended: float
    images: int
    failed: int = 0


@dataclass(frozen=True)
class ClassCount:
    """How many images have this class as their first."""

    class_id: int
    label: str
    images: int


@dataclass(frozen=True)
class FailedImage:
    """One image without a prediction, to be looked at."""

    uri: str
    code: str
    detail: str
    data: bytes | None = None
    """The file, where it could be fetched: the report pictures what it safely can."""


@dataclass(frozen=True)
class Report:
    """Everything that the page says. Commit fills it from footers, and from a small sample of rows and files."""

    job: str
    model: str
    engine: str
    """For a person: ``openvino, fp32, batches of 16``."""
    input: str
    output: str
    planned: int
    succeeded: int
    failed: Mapping[str, int]
    """Images without a prediction, by code."""
    query: str
    """The line to paste into DuckDB."""
    lineage: Mapping[str, str] = field(default_factory=dict)
    """Digests and versions, name to value, in the order to show."""
    bytes_read: int = 0
    parts: tuple[Part, ...] = ()
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage, over all workers: ``fetch``, ``decode``, ``infer``, ``write``."""
    classes: tuple[ClassCount, ...] = ()
    """The most frequent first; the page shows 20."""
    failures: tuple[FailedImage, ...] = ()
    """A sample; a dozen is plenty."""


def render(report: Report) -> str:
    """The page, as HTML."""
    environment = Environment(loader=PackageLoader("twins_worker", "."), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2").render(report=report)
