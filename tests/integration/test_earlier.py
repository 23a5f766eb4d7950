"""Planning after an earlier output: only what changed, only what failed."""

import json
from pathlib import Path

import photographs
import pyarrow as pa
import pytest
import steps
import tiny_model

from twins.errors import RequestError
from twins_worker import commit, listing, plan, prepare, schema
from twins_worker.listing import Skipped
from twins_worker.listing.earlier import Seen, digest
from twins_worker.settings import Incremental, Input, Job, Model, Output
from twins_worker.storage import Unavailable, open_place


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("good.jpg", "changed.jpg", "failed.jpg"):
        (folder / name).write_bytes(b"1")
    return folder


def job(tmp_path: Path, **asked: object) -> Job:
    fields = {"input": Input(uri=f"{tmp_path}/in"), "output": Output(uri=f"{tmp_path}/out"), **asked}
    return Job(model=Model(name="alt_gvt_small"), **fields)


def finish(tmp_path: Path, model_digest: str) -> str:
    """An output as a job leaves it, over what is in the input now; its URI."""
    output = open_place(f"{tmp_path}/earlier", job(tmp_path).storage)
    for number, row in enumerate(listing.images(job(tmp_path))):
        error = "truncated" if "failed" in row.uri else None
        rows = pa.Table.from_pylist(
            [{"uri": row.uri, "etag": row.etag, "error": error}], schema=schema.predictions(top_k=5, embedding=512)
        )
        output.put(f"data/part-00000-{number:03}.parquet", schema.write(rows, {}))
    files = [{"path": found.key, "rows": 1} for found in output.list("data/")]
    manifest = {"version": 1, "files": files, "lineage": [{"model": "alt_gvt_small", "modelDigest": model_digest}]}
    output.put("_manifest.json", json.dumps(manifest).encode())
    return output.root


def leave_prepared(tmp_path: Path, model_digest: str) -> None:
    written = {"step": "prepare", "modelDigest": model_digest, "backend": "openvino"}
    open_place(f"{tmp_path}/out", job(tmp_path).storage).put("_plan/prepared.json", json.dumps(written).encode())


def told(asked: Job) -> list[str | Skipped]:
    return [entry if isinstance(entry, Skipped) else Path(entry.uri).name for entry in listing.entries(asked)]


def test_an_incremental_plan_has_what_is_new_changed_or_failed(tmp_path: Path, images: Path) -> None:
    since = Incremental(since=finish(tmp_path, "model a"))
    leave_prepared(tmp_path, "model a")
    (images / "changed.jpg").write_bytes(b"other")
    (images / "new.jpg").write_bytes(b"1")
    asked = job(tmp_path, incremental=since)
    assert told(asked) == ["changed.jpg", "failed.jpg", Skipped.UNCHANGED, "new.jpg"]
    assert (plan.run(asked).images, plan.run(asked).skipped) == (3, 1)


def test_another_models_predictions_are_no_substitute(tmp_path: Path, images: Path) -> None:
    since = Incremental(since=finish(tmp_path, "model a"))
    leave_prepared(tmp_path, "model b")
    assert told(job(tmp_path, incremental=since)) == ["changed.jpg", "failed.jpg", "good.jpg"]


def test_an_incremental_plan_waits_for_prepare(tmp_path: Path, images: Path) -> None:
    since = Incremental(since=finish(tmp_path, "model a"))
    with pytest.raises(Unavailable, match="prepare runs before an incremental plan"):
        plan.run(job(tmp_path, incremental=since))


def test_images_are_those_of_the_input_whatever_was_done_earlier(tmp_path: Path, images: Path) -> None:
    asked = job(tmp_path, incremental=Incremental(since=finish(tmp_path, "model a")))
    assert [Path(row.uri).name for row in listing.images(asked)] == ["changed.jpg", "failed.jpg", "good.jpg"]


def test_a_retry_has_only_what_failed(tmp_path: Path, images: Path) -> None:
    earlier = finish(tmp_path, "model a")
    (images / "new.jpg").write_bytes(b"1")
    asked = job(tmp_path, retry_failed_from=earlier)
    assert told(asked) == [Skipped.NOT_FAILED, "failed.jpg", Skipped.NOT_FAILED, Skipped.NOT_FAILED]


def test_both_read_what_commit_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "cache"))
    source, weights = tmp_path / "in", tiny_model.write(tmp_path / "model")
    source.mkdir()
    for name, data in photographs.some(3).items():
        (source / name).write_bytes(data)
    first = steps.computed(steps.job(str(source), str(tmp_path / "first"), weights))
    commit.run(first)
    failed = [row["uri"] for row in steps.rows(first).to_pylist() if row["error"]]
    (source / "0.new.jpg").write_bytes(b"new")
    changes = {"output": Output(uri=f"{tmp_path}/second"), "incremental": Incremental(since=first.output.uri)}
    since = first.model_copy(update=changes)
    prepare.run(since)
    assert [row.uri for row in listing.entries(since) if row is not Skipped.UNCHANGED] == [
        (source / "0.new.jpg").as_uri(),
        *failed,
    ]
    retry = first.model_copy(update={"retry_failed_from": first.output.uri})
    assert [row.uri for row in listing.entries(retry) if row is not Skipped.NOT_FAILED] == failed


@pytest.mark.parametrize(
    ("written", "problem"),
    [(None, "is no finished output: it has no _manifest.json"), (b"{}", "has a _manifest.json that is none of ours")],
)
def test_an_earlier_output_that_is_none_is_refused(
    tmp_path: Path, images: Path, written: bytes | None, problem: str
) -> None:
    if written is not None:
        open_place(f"{tmp_path}/earlier", job(tmp_path).storage).put("_manifest.json", written)
    with pytest.raises(RequestError, match=f"retryFailedFrom: .* {problem}"):
        plan.run(job(tmp_path, retry_failed_from=f"{tmp_path}/earlier"))


def test_a_set_of_rows_takes_sixteen_bytes_a_row() -> None:
    seen = Seen.of(digest((f"s3://b/{number}", "etag")) for number in range(1000))
    assert all((f"s3://b/{number}", "etag") in seen for number in range(1000))
    assert not any((f"s3://b/{number}", "other") in seen for number in range(1000))
    assert seen.digests.nbytes == 16_000
    assert ("s3://b/1", "etag") not in Seen.of([])
