"""A part: a fixed range of a shard's rows with what was predicted of them, as one Parquet file."""

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from twins_worker.batches import Outcomes
from twins_worker.figures import Figures, Lineage

FOLDER = "data/"
LINEAGE, FIGURES, CLASSES = "twins.lineage", "twins.figures", "twins.classes"
"""Names in a file's metadata, for JSON: ``figures.Lineage``, ``figures.Figures``, and images by best class. So commit
and the report read footers only.
"""


@dataclass(frozen=True)
class Extent:
    """Which rows of the plan a part is made from."""

    shard: int
    part: int
    rows: int


def planned(images: int, images_per_shard: int, images_per_part: int) -> dict[str, Extent]:
    """Every part of a job by its key, in the plan's order."""
    extents = {}
    for shard, first in enumerate(range(0, images, images_per_shard)):
        in_shard = min(images_per_shard, images - first)
        for part, start in enumerate(range(0, in_shard, images_per_part)):
            extents[key(shard, part)] = Extent(shard, part, min(images_per_part, in_shard - start))
    return extents


def prefix(shard: int) -> str:
    """What the keys of a shard's parts start with."""
    return f"{FOLDER}part-{shard:05d}-"


def key(shard: int, part: int) -> str:
    """Where in the output a part lies."""
    return f"{prefix(shard)}{part:03d}.parquet"


def metadata(lineage: Lineage, figures: Figures, rows: pa.Table) -> dict[str, str]:
    """What a part's file says of itself."""
    counted = pc.value_counts(rows["class_id"].drop_null())
    classes = dict(sorted((count["values"].as_py(), count["counts"].as_py()) for count in counted))
    return {
        LINEAGE: lineage.model_dump_json(by_alias=True),
        FIGURES: figures.model_dump_json(by_alias=True),
        CLASSES: json.dumps(classes),
    }


def table(planned: pa.Table, outcomes: Outcomes, labels: pa.Array, schema: pa.Schema) -> pa.Table:
    """The rows of a part as ``schema`` (``schema.predictions``) has them; ``planned`` are those of the plan."""
    rows = _Scatter(outcomes.good)
    class_id = rows.column(outcomes.class_ids[:, 0])
    columns = {
        "uri": planned["uri"],
        "etag": planned["etag"],
        "bytes": pa.chunked_array([_sizes(planned, outcomes)]),
        "width": rows.masked(outcomes.sizes[:, 0]),
        "height": rows.masked(outcomes.sizes[:, 1]),
        "error": pa.array([failure and failure.code for failure in outcomes.failures], pa.string()),
        "error_detail": pa.array([failure and failure.detail for failure in outcomes.failures], pa.string()),
        "class_id": class_id,
        "label": labels.take(class_id),
        "score": rows.column(outcomes.scores[:, 0]),
        "top_class_ids": rows.lists(outcomes.class_ids),
        "top_scores": rows.lists(outcomes.scores),
    }
    if "embedding" in schema.names:
        value_type = schema.field("embedding").type.value_type
        columns["embedding"] = rows.lists(outcomes.features.astype(value_type.to_pandas_dtype()))
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def _sizes(planned: pa.Table, outcomes: Outcomes) -> pa.Array:
    """Planned sizes; where the plan had none, that of what was fetched."""
    fetched = pa.array(outcomes.fetched_bytes, mask=outcomes.fetched_bytes < 0)
    return pc.coalesce(planned["bytes"].combine_chunks(), fetched)


@dataclass(frozen=True)
class _Scatter:
    """Puts values of the good images where these are among all, nulls elsewhere."""

    good: npt.NDArray[np.bool_]

    def masked(self, values: npt.NDArray[np.generic]) -> pa.Array:
        return pa.array(values, mask=~self.good)

    def column(self, values: npt.NDArray[np.generic]) -> pa.Array:
        return self.masked(self._spread(values))

    def lists(self, values: npt.NDArray[np.generic]) -> pa.Array:
        spread = self._spread(values)
        return pa.FixedSizeListArray.from_arrays(
            pa.array(spread.reshape(-1)), values.shape[1], mask=pa.array(~self.good)
        )

    def _spread(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        spread = np.zeros((len(self.good), *values.shape[1:]), values.dtype)
        spread[self.good] = values
        return spread
