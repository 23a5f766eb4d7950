"""``report.html``: what a job did, on one page that needs nothing but itself.

No script, no request: styles and pictures are inside, and the page's own policy forbids the rest. All text comes from
strangers (keys, labels, error details), so the template escapes it, and pictures are decoded and encoded anew.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined

from twins_worker import charts, wording
from twins_worker.thumbnails import thumbnail

CLASSES = 20
"""So many of the most frequent are shown."""
STAGES = ("fetch", "decode", "infer", "write")
MEANINGS = MappingProxyType(
    {
        "not_found": "It was gone when it was fetched.",
        "changed": "It changed after the plan was made.",
        "forbidden": "The store would not hand it out.",
        "unreachable": "Its server did not answer, or not in time, in several tries.",
        "not_an_image": "It is no image.",
        "truncated": "The file ends early.",
        "too_large": "It has more bytes or pixels than the limit, or asks for more memory.",
        "unsupported": "It is damaged, of a format or kind that is not decoded, or its URI is none.",
    }
)
"""What each failure code says, for a person."""


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
    failed = charts.shares(sorted(report.failed.items(), key=lambda item: (-item[1], item[0])))
    return _PAGES.get_template("report.html.j2").render(
        report=report,
        rate=charts.rate_chart((part.started, part.ended, part.images) for part in report.parts),
        started=_started(report.parts),
        stages=charts.shares((name, report.stage_seconds[name]) for name in _stages(report.stage_seconds)),
        failed=failed,
        failed_images=sum(report.failed.values()),
        missing=report.planned - report.succeeded - sum(report.failed.values()),
        meanings=MEANINGS,
        classes=report.classes[:CLASSES],
        most=max((each.images for each in report.classes), default=0),
        pictures=[_picture(failure) for failure in report.failures],
    )


def _started(parts: tuple[Part, ...]) -> str | None:
    """When the first part was begun: ``24 November 2026, 07:56 UTC``."""
    first = min((part.started for part in parts if part.started > 0), default=None)
    return None if first is None else f"{datetime.fromtimestamp(first, UTC):%-d %B %Y, %H:%M} UTC"


def _stages(seconds: Mapping[str, float]) -> list[str]:
    """In the order of an image's way; stages that are not known here come last."""
    return [*(name for name in STAGES if name in seconds), *sorted(seconds.keys() - set(STAGES))]


def _picture(failure: FailedImage) -> str | None:
    """A ``data:`` URI of a thumbnail made here, whatever the file holds."""
    small = thumbnail(failure.data) if failure.data else None
    return None if small is None else f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"


def _pages() -> Environment:
    """Templates that escape, refuse unknown names, and have the wording's functions as filters."""
    environment = Environment(
        loader=PackageLoader("twins_worker", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for words in (
        wording.count,
        wording.rate,
        wording.percent,
        wording.duration,
        wording.size,
        wording.shown,
        wording.clean,
    ):
        environment.filters[words.__name__] = words
    return environment


_PAGES = _pages()
