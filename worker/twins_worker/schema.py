"""The tables of a job, in one place: what the planner writes for the workers, and what readers get."""

import io
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

PLAN = pa.schema(
    [
        pa.field("uri", pa.string(), nullable=False),  # what a reader sees; of a tar's member s3://b/x.tar#a/b.jpg
        pa.field("object", pa.string()),  # what to fetch, where that is not `uri`
        pa.field("offset", pa.int64()),  # where a tar's member starts in its object
        pa.field("bytes", pa.int64()),
        pa.field("etag", pa.string()),
    ]
)
"""A row an image, in the order of the listing."""


def predictions(top_k: int, embedding: int | None = None) -> pa.Schema:
    """The columns of ``data/*.parquet``: ``top_k`` classes a row, and an embedding of so many numbers where asked for.

    A row with an error has neither classes nor an embedding.
    """
    fields = [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("error", pa.dictionary(pa.int8(), pa.string())),
        pa.field("error_detail", pa.string()),
        pa.field("class_id", pa.int32()),
        pa.field("label", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("top_class_ids", pa.list_(pa.int32(), top_k)),
        pa.field("top_scores", pa.list_(pa.float32(), top_k)),
    ]
    if embedding is not None:
        fields.append(pa.field("embedding", pa.list_(pa.float32(), embedding)))
    return pa.schema(fields)


def write(table: pa.Table, metadata: Mapping[str, str]) -> bytes:
    """A whole Parquet file of one row group, with ``metadata`` in its footer; equal arguments give equal bytes.

    Neighbouring URIs share their start, hence the delta encoding; numbers that hardly repeat take no dictionary.
    """
    file = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({key: metadata[key] for key in sorted(metadata)}),
        file,
        row_group_size=max(table.num_rows, 1),
        compression="zstd",
        compression_level=3,
        use_dictionary=_among(table, _REPETITIVE),
        column_encoding={leaf: _ENCODINGS[leaf] for leaf in _among(table, _ENCODINGS)},
    )
    return file.getvalue()


def _among(table: pa.Table, leaves: Iterable[str]) -> list[str]:
    return [leaf for leaf in leaves if leaf.partition(".")[0] in table.column_names]


_REPETITIVE = ("width", "height", "error", "error_detail", "class_id", "label", "top_class_ids.list.element")
"""Columns of few distinct values, by the names of Parquet's leaves."""

_ENCODINGS = {
    "uri": "DELTA_BYTE_ARRAY",
    "object": "DELTA_BYTE_ARRAY",
    "score": "BYTE_STREAM_SPLIT",
    "top_scores.list.element": "BYTE_STREAM_SPLIT",
    "embedding.list.element": "BYTE_STREAM_SPLIT",
}
