"""A part's rows are the plan's, with what was predicted of each, and nulls where nothing was."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twins_worker import parts, schema
from twins_worker.batches import Outcomes, joined
from twins_worker.failures import failure
from twins_worker.figures import Figures, Lineage

LABELS = pa.array(["cat", "dog", None])
LINEAGE = Lineage(
    job="holiday",
    digest="d",
    plan="p",
    model="alt_gvt_small",
    weights="random:0",
    model_digest="m",
    preprocessing_digest="q",
    labels_digest="l",
    backend="openvino",
    precision="fp32",
    versions={"twins": "0.1.0"},
)
PLANNED = pa.table(
    {
        "uri": ["a.jpg", "b.jpg", "c.jpg"],
        "object": [None, None, None],
        "offset": [None, None, None],
        "bytes": [10, 20, None],
        "etag": ["e1", "e2", None],
    },
    schema=schema.PLAN,
)


def outcomes(*, broken: bool = True) -> Outcomes:
    """Three images; the middle one broken, unless said otherwise."""
    good = 2 if broken else 3
    return Outcomes(
        failures=[None, failure("truncated", "ends early") if broken else None, None],
        sizes=np.array([[640, 480], [0, 0], [32, 64]], np.int32),
        fetched_bytes=np.array([10, 20, 30]),
        seconds=np.ones((3, 4)),
        class_ids=np.array([[1, 0], [2, 1], [0, 1]], np.int32)[:good],
        scores=np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]], np.float32)[:good],
        features=np.arange(good * 4, dtype=np.float32).reshape(good, 4),
        infer_seconds=1.0,
        waited_seconds=0.5,
    )


def test_rows() -> None:
    rows = parts.table(PLANNED, outcomes(), LABELS, schema.predictions(2, 4))
    assert rows.schema == schema.predictions(2, 4)
    assert rows.to_pylist() == [
        {
            "uri": "a.jpg",
            "etag": "e1",
            "bytes": 10,
            "width": 640,
            "height": 480,
            "error": None,
            "error_detail": None,
            "class_id": 1,
            "label": "dog",
            "score": 0.75,
            "top_class_ids": [1, 0],
            "top_scores": [0.75, 0.25],
            "embedding": [0.0, 1.0, 2.0, 3.0],
        },
        {
            "uri": "b.jpg",
            "etag": "e2",
            "bytes": 20,
            "width": None,
            "height": None,
            "error": "truncated",
            "error_detail": "ends early",
            "class_id": None,
            "label": None,
            "score": None,
            "top_class_ids": None,
            "top_scores": None,
            "embedding": None,
        },
        {
            "uri": "c.jpg",
            "etag": None,
            "bytes": 30,
            "width": 32,
            "height": 64,
            "error": None,
            "error_detail": None,
            "class_id": 2,
            "label": None,
            "score": 0.5,
            "top_class_ids": [2, 1],
            "top_scores": [0.5, 0.5],
            "embedding": [4.0, 5.0, 6.0, 7.0],
        },
    ]


def test_no_embedding_unless_asked() -> None:
    rows = parts.table(PLANNED, outcomes(), LABELS, schema.predictions(2))
    assert "embedding" not in rows.column_names


def test_rows_of_failures_only() -> None:
    bad = Outcomes(
        failures=[failure("not_found", "gone")] * 3,
        sizes=np.zeros((3, 2), np.int32),
        fetched_bytes=np.full(3, -1),
        seconds=np.zeros((3, 4)),
        class_ids=np.empty((0, 2), np.int32),
        scores=np.empty((0, 2), np.float32),
        features=np.empty((0, 4), np.float32),
        infer_seconds=0.0,
        waited_seconds=0.0,
    )
    rows = parts.table(PLANNED, bad, LABELS, schema.predictions(2, 4))
    assert rows.schema == schema.predictions(2, 4)
    assert rows["error"].to_pylist() == ["not_found"] * 3
    assert rows["bytes"].to_pylist() == [10, 20, None]


def test_a_file_tells_where_it_comes_from() -> None:
    rows = parts.table(PLANNED, outcomes(broken=False), LABELS, schema.predictions(2))
    figures = Figures(images=3, failed={}, wall_seconds={"infer": 1.00049})
    told = pq.read_metadata(io.BytesIO(schema.write(rows, parts.metadata(LINEAGE, figures, rows)))).metadata
    assert Lineage.model_validate_json(told[b"twins.lineage"]) == LINEAGE
    assert Figures.model_validate_json(told[b"twins.figures"]).wall_seconds == {"infer": 1.0}
    assert json.loads(told[b"twins.classes"]) == {"0": 1, "1": 1, "2": 1}


def test_outcomes_join_in_order() -> None:
    one, other = outcomes(), outcomes(broken=False)
    both = joined([one, other])
    assert both.good.tolist() == [True, False, True, True, True, True]
    assert both.class_ids.tolist() == [*one.class_ids.tolist(), *other.class_ids.tolist()]
    assert (both.infer_seconds, both.waited_seconds) == (2.0, 1.0)


@pytest.mark.parametrize(
    ("images", "per_shard", "per_part", "extents"),
    [
        pytest.param(0, 10, 4, {}, id="nothing planned, no parts"),
        pytest.param(8, 8, 8, {(0, 0): 8}, id="all in one"),
        pytest.param(
            13,
            10,
            4,
            {(0, 0): 4, (0, 1): 4, (0, 2): 2, (1, 0): 3},
            id="a shard's last part is smaller, and so is the last shard",
        ),
    ],
)
def test_planned_parts(images: int, per_shard: int, per_part: int, extents: dict[tuple[int, int], int]) -> None:
    assert parts.planned(images, per_shard, per_part) == {
        f"data/part-{shard:05d}-{part:03d}.parquet": parts.Extent(shard, part, rows)
        for (shard, part), rows in extents.items()
    }
