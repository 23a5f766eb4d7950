"""The tables that readers get: their columns, and files that any reader opens."""

import io
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twins_worker import schema

ROWS = [
    {
        "uri": "s3://photos/2026/cat.jpg",
        "etag": "9b8c4bbf",
        "bytes": 81234,
        "width": 500,
        "height": 375,
        "error": None,
        "error_detail": None,
        "class_id": 285,
        "label": "Egyptian cat",
        "score": 0.5,
        "top_class_ids": [285, 281],
        "top_scores": [0.5, 0.25],
        "embedding": [1.0, -1.0, 0.125],
    },
    {"uri": "s3://photos/2026/note.txt", "bytes": 3, "error": "not_an_image", "error_detail": "starts with 'hi'"},
]
WHOLE = [{**dict.fromkeys(ROWS[0]), **row} for row in ROWS]


def table() -> pa.Table:
    return pa.Table.from_pylist(ROWS, schema=schema.predictions(top_k=2, embedding=3))


def test_predictions_have_the_published_columns() -> None:
    assert schema.predictions(top_k=5, embedding=512) == pa.schema(
        {
            "uri": pa.string(),
            "etag": pa.string(),
            "bytes": pa.int64(),
            "width": pa.int32(),
            "height": pa.int32(),
            "error": pa.dictionary(pa.int8(), pa.string()),
            "error_detail": pa.string(),
            "class_id": pa.int32(),
            "label": pa.string(),
            "score": pa.float32(),
            "top_class_ids": pa.list_(pa.int32(), 5),
            "top_scores": pa.list_(pa.float32(), 5),
            "embedding": pa.list_(pa.float32(), 512),
        }
    ).set(0, pa.field("uri", pa.string(), nullable=False))
    assert "embedding" not in schema.predictions(top_k=5).names


def test_a_file_comes_back_with_its_rows_types_and_metadata() -> None:
    data = schema.write(table(), {"twins.job": "abc"})
    read = pq.read_table(io.BytesIO(data))
    assert read.to_pylist() == WHOLE
    assert read.schema.equals(table().schema)
    assert pq.read_metadata(io.BytesIO(data)).metadata[b"twins.job"] == b"abc"


def test_equal_tables_give_equal_bytes() -> None:
    assert schema.write(table(), {"a": "1", "b": "2"}) == schema.write(table(), {"b": "2", "a": "1"})


@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_a_file_of_any_length_is_one_row_group(rows: int) -> None:
    many = pa.Table.from_pylist(
        [{"uri": f"s3://b/{row:06}.jpg", "bytes": row} for row in range(rows)], schema=schema.PLAN
    )
    written = pq.ParquetFile(io.BytesIO(schema.write(many, {})))
    assert written.num_row_groups == 1
    assert written.read().equals(many)


def test_duckdb_and_pandas_read_a_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    file.write_bytes(schema.write(table(), {}))
    query = f"select uri, error, top_class_ids[1], embedding[2] from '{file}' order by uri"  # noqa: S608 - a test's own path
    assert duckdb.sql(query).fetchall() == [
        ("s3://photos/2026/cat.jpg", None, 285, -1.0),
        ("s3://photos/2026/note.txt", "not_an_image", None, None),
    ]
    assert pd.read_parquet(file)["score"].tolist()[0] == 0.5
