"""What an earlier output already has: which of its rows are good, and which failed."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from twins.errors import RequestError
from twins_worker import settings
from twins_worker.fetch import Row
from twins_worker.listing import ranged
from twins_worker.listing.skipped import Skipped
from twins_worker.storage import NotFound, Place, Unavailable, open_place
from twins_worker.streams import ordered_map

THREADS = 8
DIGEST_BYTES = 16
"""Of a row, 120 bits and an end: one of 10^8 rows falls together with one of 10^8 others in one of 10^20 jobs."""

Verdict = Callable[[Row], Skipped | None]


@dataclass(frozen=True)
class Seen:
    """A set of rows in 16 bytes a row, whatever their names: digests, sorted."""

    digests: npt.NDArray[np.bytes_]

    @classmethod
    def of(cls, digests: Iterable[bytes]) -> "Seen":
        """Of digests, or of many one after the other."""
        return cls(np.sort(np.frombuffer(b"".join(digests), f"S{DIGEST_BYTES}")))

    def __contains__(self, values: tuple[str | None, ...]) -> bool:
        wanted = np.bytes_(digest(values))
        at = int(np.searchsorted(self.digests, wanted))
        return at < len(self.digests) and bool(self.digests[at] == wanted)


def verdict(job: settings.Job, *, same_model: bool = False) -> Verdict:
    """Whether a row is passed over for ``incremental`` and ``retryFailedFrom``.

    A row is unchanged where the earlier output has a prediction, by the same model, for the same URI and etag.
    ``same_model`` takes it for that where prepare has not said yet which this job's is.

    Raises:
        RequestError: what is named there is no output that commit described.
        Unavailable: the model of this job is not known yet: prepare has to run before an incremental plan.
    """
    good = _good(job, job.incremental.since, same_model) if job.incremental else None
    failed = _failed(job, job.retry_failed_from) if job.retry_failed_from else None

    def passed_over(row: Row) -> Skipped | None:
        if failed is not None and (row.uri,) not in failed:
            return Skipped.NOT_FAILED
        if good is not None and row.etag is not None and (row.uri, row.etag) in good:
            return Skipped.UNCHANGED
        return None

    return passed_over


def _good(job: settings.Job, uri: str, same_model: bool) -> Seen:
    earlier = _Output.read(job, uri, "incremental.since")
    model = _model(job)
    if model is None and not same_model:
        raise Unavailable(job.output.uri, f"has no {_PREPARED} yet: prepare runs before an incremental plan")
    if model is not None and earlier.models != {model}:
        return Seen.of([])
    return _seen(earlier, ("uri", "etag"), pc.is_null)


def _failed(job: settings.Job, uri: str) -> Seen:
    return _seen(_Output.read(job, uri, "retryFailedFrom"), ("uri",), pc.is_valid)


def _seen(output: "_Output", columns: tuple[str, ...], chosen: Callable[[pa.ChunkedArray], pa.Array]) -> Seen:
    parts = ordered_map(partial(_digests, output.place, columns, chosen), output.paths, threads=THREADS, ahead=THREADS)
    return Seen.of(parts)


def _digests(place: Place, columns: tuple[str, ...], chosen: Callable[[pa.ChunkedArray], pa.Array], path: str) -> bytes:
    """The digests of a part's rows whose ``error`` is as ``chosen`` says, from those columns only."""
    found = place.find(path)
    if found is None:
        raise NotFound(place.uri(path), "is in the manifest, but not there")
    with ranged.opened(place, found) as file:
        table = pq.ParquetFile(pa.PythonFile(file, mode="r")).read([*columns, "error"], use_threads=False)
    rows = table.filter(chosen(table["error"]))
    return b"".join(map(digest, zip(*(rows[name].to_pylist() for name in columns), strict=True)))


def digest(values: tuple[str | None, ...]) -> bytes:
    """What stands for a row in ``Seen``."""
    digest = hashlib.blake2b(repr(values).encode(), digest_size=DIGEST_BYTES - 1).digest()
    return digest + b"."  # numpy takes zeros at the end for padding


def _model(job: settings.Job) -> str | None:
    """The digest of this job's model, which prepare leaves in the output; ``None`` before it did."""
    output = open_place(job.output.uri, job.storage, field="output.uri")
    try:
        return _Prepared.model_validate_json(output.get(_PREPARED)).model_digest
    except NotFound:
        return None


_PREPARED = "_plan/prepared.json"


class _Said(BaseModel):
    """The part of a document that is read here."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


class _Prepared(_Said):
    model_digest: str


class _File(_Said):
    path: str


class _Manifest(_Said):
    files: tuple[_File, ...]
    lineage: tuple[_Prepared, ...]


@dataclass(frozen=True)
class _Output:
    place: Place
    paths: tuple[str, ...]
    models: frozenset[str]

    @classmethod
    def read(cls, job: settings.Job, uri: str, field: str) -> "_Output":
        place = open_place(uri, job.storage, field=field)
        remedy = "Name the output.uri of a job that got as far as its report."
        try:
            manifest = _Manifest.model_validate_json(place.get("_manifest.json"))
        except NotFound as error:
            raise RequestError(field, uri, "is no finished output: it has no _manifest.json", remedy) from error
        except ValidationError as error:
            raise RequestError(field, uri, "has a _manifest.json that is none of ours", remedy) from error
        paths = tuple(file.path for file in manifest.files)
        return cls(place, paths, frozenset(lineage.model_digest for lineage in manifest.lineage))
