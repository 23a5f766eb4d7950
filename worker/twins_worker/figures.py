"""What rows come from and what making them took: kept in each part's metadata, added up by whoever reads footers."""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel

_Name = TypeVar("_Name", str, int)
_Number = TypeVar("_Number", int, float)


class Value(BaseModel):
    """A frozen value that is also JSON, with the names of the API."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


Seconds = Annotated[float, PlainSerializer(lambda seconds: round(seconds, 3))]


class Lineage(Value):
    """What decided a part's rows."""

    job: str
    """The job's name."""
    digest: str
    """``Job.digest``."""
    plan: str
    model: str
    """The network's name."""
    weights: str
    """Where they came from."""
    model_digest: str
    preprocessing_digest: str
    labels_digest: str
    """SHA-256, in hex, of what the classes are called: the file behind ``model.labels`` may change."""
    backend: str
    precision: str
    versions: Mapping[str, str]
    """Of this package and of what decodes and computes."""


class Figures(Value):
    """What making rows took."""

    images: int = 0
    failed: Mapping[str, int] = {}
    """Images by failure code."""
    bytes: int = 0
    """Fetched."""
    wall_seconds: Mapping[str, Seconds] = {}
    """``fetch``, ``decode``, ``infer``, ``write``: they run side by side, and in several threads, so the sum is not the
    elapsed time. A part's own file cannot tell of its encoding and upload: those are in the step's message only.
    """
    cpu_seconds: Mapping[str, Seconds] = {}
    """``infer`` is what the process used between two parts besides fetching and decoding."""
    waited_seconds: Seconds = 0.0
    """How long the engine had nothing to do."""
    start: str | None = None
    end: str | None = None
    """ISO 8601, UTC."""


def total(figures: Iterable[Figures]) -> Figures:
    """The figures of all, from the first start to the last end."""
    each = tuple(figures)
    return Figures(
        images=sum(one.images for one in each),
        failed=summed(one.failed for one in each),
        bytes=sum(one.bytes for one in each),
        wall_seconds=summed(one.wall_seconds for one in each),
        cpu_seconds=summed(one.cpu_seconds for one in each),
        waited_seconds=sum(one.waited_seconds for one in each),
        start=min((one.start for one in each if one.start), default=None),
        end=max((one.end for one in each if one.end), default=None),
    )


def summed(counts: Iterable[Mapping[_Name, _Number]]) -> dict[_Name, _Number]:
    """Numbers of the same name, added up, in the order of names."""
    sums: dict[_Name, _Number] = {}
    for each in counts:
        for name, number in each.items():
            sums[name] = sums[name] + number if name in sums else number
    return dict(sorted(sums.items()))
