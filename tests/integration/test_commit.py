"""Commit vouches for an output that is whole, and for no other."""

import json
from pathlib import Path

import duckdb
import photographs
import pyarrow.parquet as pq
import pytest
import steps
import tiny_model
from s3_server import S3Server

from twins.errors import RequestError
from twins_worker import commit
from twins_worker.settings import FailurePolicy, Job, Output
from twins_worker.storage import NotFound, open_place
from twins_worker.termination import DataError

FAILED = {"not_an_image": 1, "truncated": 2}
"""Of ``photographs.some``."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job whose parts are written: five shards of two pictures, and three files that are none."""
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "in").mkdir()
    for name, data in photographs.some(7).items():
        (tmp_path / "in" / name).write_bytes(data)
    weights = tiny_model.write(tmp_path / "model")
    return steps.computed(steps.job(str(tmp_path / "in"), str(tmp_path / "out"), weights, images_per_shard=2))


@pytest.fixture
def output(asked: Job) -> Path:
    return Path(asked.output.uri)


def allowing(asked: Job, failed: int | str) -> Job:
    return asked.model_copy(update={"failure_policy": FailurePolicy(max_failed_images=failed)})


def relabel(part: Path, other: dict[str, str]) -> None:
    """Change what a part says of its lineage."""
    table = pq.read_table(part)
    metadata = table.schema.metadata
    lineage = json.loads(metadata[b"twins.lineage"]) | other
    pq.write_table(table.replace_schema_metadata(metadata | {b"twins.lineage": json.dumps(lineage)}), part)


def test_a_whole_output_is_vouched_for(asked: Job, output: Path) -> None:
    done = commit.run(asked)
    manifest = json.loads((output / "_manifest.json").read_bytes())
    assert done.images.model_dump() == {"planned": 10, "succeeded": 7, "failed": 3, "skipped": 0}
    assert done.failed == FAILED
    assert (output / "_SUCCESS").read_bytes() == b""
    assert "<!doctype html>" in (output / "report.html").read_text()
    assert manifest["rows"] == done.rows == 10
    assert manifest["bytes"] == sum(file.stat().st_size for file in (output / "data").iterdir())
    assert [file["path"] for file in manifest["files"]] == [f"data/part-{shard:05d}-000.parquet" for shard in range(5)]
    assert [column["name"] for column in manifest["columns"]] == steps.rows(asked).column_names
    assert manifest["figures"]["failed"] == FAILED
    (lineage,) = manifest["lineage"]
    assert (lineage["digest"], lineage["modelDigest"], lineage["backend"]) == (asked.digest, "0" * 64, "onnxruntime")


def test_the_query_runs_as_it_is(asked: Job) -> None:
    done = commit.run(asked)
    counted = duckdb.sql(done.query).fetchall()
    assert sum(images for _, images in counted) == 7


def test_committing_again_changes_nothing(asked: Job, output: Path) -> None:
    first = commit.run(asked)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    assert commit.run(asked) == first
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before


def test_missing_parts_are_named(asked: Job, output: Path) -> None:
    for shard in (1, 3):
        (output / f"data/part-{shard:05d}-000.parquet").unlink()
    with pytest.raises(DataError, match=r"2 of 5 parts are missing: data/part-00001-000.parquet, .*00003") as error:
        commit.run(asked)
    assert error.value.reason == "PartsMissing"
    assert not (output / "_SUCCESS").exists()


def test_a_file_of_somebody_else_is_named(asked: Job, output: Path) -> None:
    (output / "data/part-00009-000.parquet").write_bytes(b"")
    with pytest.raises(RequestError, match=r"holds files that are not this job's: data/part-00009-000.parquet"):
        commit.run(asked)
    assert not (output / "_SUCCESS").exists()


def test_a_part_of_other_rows_is_not_vouched_for(asked: Job, output: Path) -> None:
    part = output / "data/part-00002-000.parquet"
    pq.write_table(pq.read_table(part).slice(0, 1), part)
    with pytest.raises(DataError, match=r"part-00002-000.parquet has 1 rows; 2 were planned"):
        commit.run(asked)


def test_a_part_of_another_job_is_not_vouched_for(asked: Job, output: Path) -> None:
    relabel(output / "data/part-00002-000.parquet", {"digest": "another"})
    with pytest.raises(DataError, match=r"part-00002-000.parquet is a part of another job or plan"):
        commit.run(asked)


def test_what_is_no_part_is_not_vouched_for(asked: Job, output: Path) -> None:
    (output / "data/part-00002-000.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=r"data/part-00002-000.parquet is no part") as error:
        commit.run(asked)
    assert error.value.reason == "PartsDiffer"


def test_failures_are_shown_without_what_signs_their_urls(tmp_path: Path, asked: Job) -> None:
    (tmp_path / "m.txt").write_text("http://user:secret@127.0.0.1:9/a.jpg?X-Amz-Signature=secret\n")
    dead = steps.computed(
        steps.job(str(tmp_path / "m.txt"), str(tmp_path / "of-urls"), Path(asked.model.weights or ""))
    )
    assert steps.rows(dead)["error"].to_pylist() == ["unreachable"]
    with pytest.raises(DataError, match=r"For example http://127.0.0.1:9/a.jpg \(unreachable: ") as error:
        commit.run(allowing(dead, 0))
    report = (tmp_path / "of-urls/report.html").read_text()
    assert "http://127.0.0.1:9/a.jpg" in report
    assert "secret" not in report + str(error.value)


@pytest.mark.parametrize("allowed", [3, "30%", "100%"])
def test_as_many_failures_as_allowed(allowed: int | str, asked: Job) -> None:
    assert commit.run(allowing(asked, allowed)).images.failed == 3


@pytest.mark.parametrize("allowed", [0, 2, "0%", "29%"])
def test_more_failures_than_allowed(allowed: int | str, asked: Job, output: Path) -> None:
    with pytest.raises(DataError) as error:
        commit.run(allowing(asked, allowed))
    assert error.value.reason == "TooManyFailedImages"
    assert f"3 of 10 images failed, more than failurePolicy.maxFailedImages allows ({allowed})" in str(error.value)
    assert "1 not_an_image, 2 truncated. For example file://" in str(error.value)
    assert (output / "report.html").exists()
    assert json.loads((output / "_manifest.json").read_bytes())["images"]["failed"] == 3
    assert not (output / "_SUCCESS").exists()


@pytest.mark.parametrize(
    ("name", "other"),
    [("modelDigest", "1" * 64), ("preprocessingDigest", "2" * 64), ("backend", "openvino"), ("precision", "int8")],
)
def test_a_part_of_another_model_is_not_vouched_for(name: str, other: str, asked: Job, output: Path) -> None:
    relabel(output / "data/part-00002-000.parquet", {name: other})
    with pytest.raises(DataError, match=r"1 of 5 parts are of another model .*part-00002-000.parquet") as error:
        commit.run(asked)
    assert (error.value.reason, other in error.value.message) == ("PartsDiffer", True)
    assert not (output / "_SUCCESS").exists()


def test_weights_that_changed_between_two_runs_are_not_mixed(asked: Job, output: Path, tmp_path: Path) -> None:
    """As it comes about: the file behind a URI changed, and somebody deleted what prepare had decided."""
    (output / "data/part-00004-000.parquet").unlink()
    (output / "_plan/prepared.json").unlink()
    export = tmp_path / "model/export.json"
    export.write_text(json.dumps(json.loads(export.read_text()) | {"weights": "f" * 64}))
    steps.computed(asked)
    with pytest.raises(DataError, match="4 of 5 parts are of another model or engine"):
        commit.run(asked)


def test_labels_that_changed_between_two_runs_are_not_mixed(asked: Job, tmp_path: Path) -> None:
    labels, output = tmp_path / "labels.txt", tmp_path / "labelled"
    model = asked.model.model_copy(update={"labels": str(labels)})
    of_labels = asked.model_copy(update={"model": model, "output": Output(uri=str(output))})
    labels.write_text("".join(f"class {number}\n" for number in range(tiny_model.CLASSES)))
    steps.computed(of_labels)
    commit.run(of_labels)
    (output / "data/part-00004-000.parquet").unlink()
    labels.write_text("".join(f"kind {number}\n" for number in range(tiny_model.CLASSES)))
    steps.computed(of_labels)
    with pytest.raises(DataError, match=r"what model.labels names changed between the parts"):
        commit.run(of_labels)


def test_on_a_bucket(bucket: str, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "cache"))
    place = open_place(bucket, s3_server.storage)
    for name, data in photographs.some(4).items():
        place.put(f"in/{name}", data)
    weights = tiny_model.write(tmp_path / "model")
    asked = steps.job(f"{bucket}in/", f"{bucket}out/", weights, s3_server.storage, images_per_shard=3)
    with pytest.raises(NotFound):
        place.get("out/_SUCCESS")
    done = commit.run(steps.computed(asked))
    assert (done.parts, done.rows) == (3, 7)
    assert place.get("out/_SUCCESS") == b""
