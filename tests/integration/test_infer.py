"""A shard through a real engine: the right row for every image, the same rows however they came about."""

import io
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import photographs
import pyarrow as pa
import pytest
import steps
import tiny_model
from fault_proxy import FaultProxy, Request, Server
from s3_server import S3Server

from twins import engines
from twins.errors import RequestError
from twins_worker import infer, parts, plan
from twins_worker.batches import Batch
from twins_worker.failures import Failure, failure
from twins_worker.fetch import MAX_BYTES, Row
from twins_worker.figures import Lineage
from twins_worker.infer import Inferred, Model, Progress
from twins_worker.pipeline import UNKNOWN_BYTES, Expected, Flow, scored
from twins_worker.settings import Job, Output, Storage
from twins_worker.storage import Unavailable, open_place

PER_PART = 1024
"""Images a part, as the plan has it."""
LABELS = tuple(f"class {number}" for number in range(tiny_model.CLASSES))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    weights = tiny_model.write(tmp_path_factory.mktemp("model") / "tiny")
    engine = engines.load("onnxruntime", weights, precision="fp32", batch_size=None)
    yield Model(engine, LABELS, LINEAGE, Flow.on(2))
    engine.close()


LINEAGE = Lineage(
    job="holiday",
    digest="",
    plan="",
    model="alt_gvt_small",
    weights="random:0",
    model_digest="0" * 64,
    preprocessing_digest="1" * 64,
    labels_digest="l",
    backend="onnxruntime",
    precision="fp32",
    versions={},
)


def folder(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir(parents=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def test_every_image_has_its_row(tmp_path: Path, model: Model) -> None:
    pictures = folder(tmp_path / "in", photographs.some(6))
    asked = steps.job(str(pictures), str(tmp_path / "out"))
    plan.run(asked)
    (pictures / "001.jpg").unlink()
    (pictures / "002.jpg").write_bytes(photographs.jpeg(99))
    done = infer.run(asked, 0, model)
    rows = {Path(row["uri"]).name: row for row in steps.rows(asked).to_pylist()}
    assert {name: row["error"] for name, row in rows.items()} == {
        "000.jpg": None,
        "001.jpg": "not_found",
        "002.jpg": "changed",
        "003.jpg": None,
        "004.jpg": None,
        "005.jpg": None,
        "010-cut.jpg": "truncated",
        "020-text.jpg": "not_an_image",
        "030-empty.jpg": "truncated",
    }
    assert (rows["000.jpg"]["width"], rows["000.jpg"]["height"]) == (64, 48)
    assert rows["000.jpg"]["label"] == LABELS[rows["000.jpg"]["class_id"]]
    assert done.figures.images == 9
    assert done.figures.failed == {"changed": 1, "not_an_image": 1, "not_found": 1, "truncated": 2}


def test_an_image_of_unknown_size_waits_for_room_where_it_is_large(model: Model) -> None:
    """Of those that are large, a decoder's thread fetches one at a time, after all have been asked for little."""
    asked, at_once, most_at_once = list[int](), 0, 0
    data, lock = photographs.jpeg(1), threading.Lock()

    def fetch(row: Row, limit: int = MAX_BYTES) -> bytes | Failure:
        nonlocal at_once, most_at_once
        with lock:
            asked.append(limit)
            at_once += limit == MAX_BYTES
            most_at_once = max(most_at_once, at_once)
        if limit == MAX_BYTES:
            time.sleep(0.01)
        with lock:
            at_once -= limit == MAX_BYTES
        return data if limit == MAX_BYTES else failure("too_large", "")

    rows = [Row(f"https://host/{number}", None, None, None, None) for number in range(8)]
    expected = Expected(tiny_model.CLASSES, tiny_model.WIDTH, top_k=5, features=False)
    flow = replace(Flow.on(2), decode_threads=4)
    (done,) = scored([Batch(0, rows, last=True)], fetch, model.engine, expected, flow)
    assert done.outcomes.failures == [None] * 8
    assert sorted(asked) == [UNKNOWN_BYTES] * 8 + [MAX_BYTES] * 8
    assert most_at_once == 1


@pytest.mark.parametrize(
    ("dead", "alive", "allowed"),
    [
        pytest.param(3, 0, "1%", id="few"),
        pytest.param(8, 1, "1%", id="others are reached"),
        pytest.param(8, 0, "100%", id="each is wanted as a row"),
    ],
)
def test_dead_urls_are_rows(tmp_path: Path, model: Model, dead: int, alive: int, allowed: str) -> None:
    asked = _of_urls(tmp_path, dead, alive, allowed)
    infer.run(asked, 0, model)
    assert steps.rows(asked)["error"].to_pylist() == ["unreachable"] * dead + [None] * alive


def test_dead_urls_only_are_an_outage(tmp_path: Path, model: Model) -> None:
    asked = _of_urls(tmp_path, 8, 0, "1%")
    with pytest.raises(Unavailable, match=r"none of the servers of a part's 8 images answers .NewConnectionError"):
        infer.run(asked, 0, model)
    assert not (tmp_path / "out/data").exists()


def _of_urls(folder: Path, dead: int, alive: int, allowed: str) -> Job:
    (folder / "1.jpg").write_bytes(photographs.jpeg(1))
    lines = [f"http://127.0.0.1:9/{number}.jpg" for number in range(dead)] + ["1.jpg"] * alive
    (folder / "m.txt").write_text("\n".join(lines))
    asked = steps.job(str(folder / "m.txt"), str(folder / "out"), max_failed=allowed)
    plan.run(asked)
    return asked


def test_objects_of_a_bucket(bucket: str, s3_server: S3Server, model: Model) -> None:
    place = open_place(f"{bucket}in/", s3_server.storage)
    for name, data in photographs.some(4).items():
        place.put(name, data)
    asked = steps.job(f"{bucket}in/", f"{bucket}out/", storage=s3_server.storage)
    plan.run(asked)
    s3_server.client.delete_object(Bucket=bucket[5:-1], Key="in/000.jpg")
    place.put("001.jpg", photographs.jpeg(99))
    infer.run(asked, 0, model)
    errors = ["not_found", "changed", None, None, "truncated", "not_an_image", "truncated"]
    assert steps.rows(asked)["error"].to_pylist() == errors


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of three parts, the last of which is small."""
    return folder(tmp_path_factory.mktemp("many") / "in", photographs.some(2 * PER_PART + 20))


@pytest.fixture(scope="module")
def undisturbed(many: Path, tmp_path_factory: pytest.TempPathFactory, model: Model) -> pa.Table:
    asked = steps.job(str(many), str(tmp_path_factory.mktemp("undisturbed")))
    plan.run(asked)
    infer.run(asked, 0, model)
    return steps.rows(asked)


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(Flow.on(2, batch_images=7), id="in small batches"),
        pytest.param(Flow(32, fetch_threads=1, fetch_ahead=1, decode_threads=1, batches_ahead=1), id="one at a time"),
        pytest.param(replace(Flow.on(2), fetch_ahead_bytes=1), id="with room for one image"),
        pytest.param(replace(Flow.on(2), batch_images=500, fetch_ahead=3), id="in batches larger than what is ahead"),
    ],
)
def test_rows_are_the_same_whatever_the_flow(
    flow: Flow, many: Path, undisturbed: pa.Table, tmp_path: Path, model: Model
) -> None:
    asked = steps.job(str(many), str(tmp_path))
    plan.run(asked)
    infer.run(asked, 0, replace(model, flow=flow))
    assert steps.rows(asked).equals(undisturbed)


@pytest.mark.parametrize("lost", [(1,), (0, 2)], ids=str)
def test_a_rerun_computes_what_is_missing_and_only_that(
    lost: tuple[int, ...], many: Path, undisturbed: pa.Table, tmp_path: Path, model: Model
) -> None:
    asked = steps.job(str(many), str(tmp_path))
    plan.run(asked)
    infer.run(asked, 0, model)
    for part in lost:
        (tmp_path / parts.key(0, part)).unlink()
    progress: list[Progress] = []
    again = infer.run(asked, 0, model, on_progress=progress.append)
    assert (again.parts_written, again.parts_found) == (len(lost), 3 - len(lost))
    assert steps.rows(asked).equals(undisturbed)
    assert progress[-1].done + progress[-1].found == progress[-1].total == len(undisturbed)


def test_two_runs_of_a_shard_at_once_do_no_harm(
    many: Path, undisturbed: pa.Table, tmp_path: Path, model: Model
) -> None:
    asked = steps.job(str(many), str(tmp_path))
    plan.run(asked)
    together = threading.Barrier(2)

    def run(_: int) -> Inferred:
        together.wait()
        return infer.run(asked, 0, model)

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(run, range(2)))
    assert sum(each.parts_written for each in both) == 3
    assert steps.rows(asked).equals(undisturbed)
    assert sum(each.figures.images for each in both) == len(undisturbed)


def test_a_finished_shard_is_left_as_it_is(many: Path, tmp_path: Path, model: Model) -> None:
    asked = steps.job(str(many), str(tmp_path))
    plan.run(asked)
    infer.run(asked, 0, model)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
    assert infer.run(asked, 0, model).parts_written == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()} == before


def test_an_input_that_may_not_be_read_is_no_list_of_bad_images(
    bucket: str, s3_server: S3Server, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_place(bucket, s3_server.storage).put("a.jpg", photographs.jpeg(0))
    asked = steps.job(bucket, str(tmp_path / "out"), storage=s3_server.storage, max_failed="1%")
    plan.run(asked)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(RequestError, match=r"input.uri: .* 1 of 1 images of a part are forbidden") as refused:
        infer.run(asked, 0, model)
    assert refused.value.field == "input.uri"
    assert not (tmp_path / "out/data").exists()


@dataclass(frozen=True)
class Forbidding:
    """Twenty pictures in a bucket and a job of two parts, behind a proxy that says which GET may be."""

    asked: Job
    proxy: FaultProxy

    def forbid(self, forbidden: Callable[[str, int], bool]) -> None:
        """``forbidden``: by the picture's name and how often it was asked for."""
        gets: Counter[str] = Counter()

        def fault(request: Request, server: Server) -> bytes:
            name = request.target.rpartition("/")[2]
            if request.method != "GET" or "/in/" not in request.target:
                return server.answers(request)
            gets[name] += 1
            return ACCESS_DENIED if forbidden(name, gets[name]) else server.answers(request)

        self.proxy.fault = fault

    @property
    def parts(self) -> list[str]:
        return [file.key for file in open_place(self.asked.output.uri, self.asked.storage).list("data/")]


ACCESS_DENIED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def forbidding(bucket: str, s3_server: S3Server) -> Iterator[Forbidding]:
    for number in range(20):
        open_place(f"{bucket}in/", s3_server.storage).put(f"{number:03d}.jpg", photographs.jpeg(number))
    proxy = FaultProxy(s3_server.port)
    storage = Storage(endpoint=proxy.endpoint, region="us-east-1")
    asked = steps.job(f"{bucket}in/", f"{bucket}out/", storage=storage, max_failed="1%")
    planned = plan.run(asked).model_copy(update={"images_per_part": 10})
    open_place(asked.output.uri, storage).put(plan.KEY, planned.model_dump_json(by_alias=True).encode())
    yield Forbidding(asked, proxy)
    proxy.close()


@pytest.mark.parametrize(
    ("forbidden", "said", "written"),
    [
        pytest.param(lambda name, _: name >= "010", "10 of 10 images", 1, id="before a later part"),
        pytest.param(lambda name, nth: name >= "005" or nth > 1, "5 of 10 images", 0, id="in the middle of a part"),
    ],
)
def test_a_right_that_is_lost_leaves_no_rows_that_say_so(
    forbidden: Callable[[str, int], bool], said: str, written: int, forbidding: Forbidding, model: Model
) -> None:
    forbidding.forbid(forbidden)
    with pytest.raises(RequestError, match=f"{said} of a part are forbidden") as refused:
        infer.run(forbidding.asked, 0, model)
    assert refused.value.field == "input.uri"
    assert forbidding.parts == [parts.key(0, part) for part in range(written)]


def test_a_few_images_that_may_not_be_read_are_rows(forbidding: Forbidding, model: Model) -> None:
    forbidding.forbid(lambda name, _: name in {"003.jpg", "010.jpg", "011.jpg"})
    infer.run(forbidding.asked, 0, model)
    errors = steps.rows(forbidding.asked)["error"].to_pylist()
    assert [number for number, error in enumerate(errors) if error == "forbidden"] == [3, 10, 11]
    assert errors.count(None) == 17


def test_a_shard_of_one_image_that_may_not_be_read_is_a_row(forbidding: Forbidding, model: Model) -> None:
    asked = forbidding.asked.model_copy(
        update={"output": Output(uri=f"{forbidding.asked.output.uri}ones/"), "images_per_shard": 1}
    )
    plan.run(asked)
    forbidding.forbid(lambda name, _: name == "000.jpg")
    assert infer.run(asked, 0, model).figures.failed == {"forbidden": 1}


@pytest.mark.parametrize("classes", [9, 1000])
def test_a_model_of_other_classes_is_refused(classes: int, tmp_path: Path, model: Model) -> None:
    pictures = folder(tmp_path / "in", photographs.some(1))
    asked = steps.job(str(pictures), str(tmp_path / "out"), classes=classes)
    plan.run(asked)
    with pytest.raises(RequestError, match="is not what the model has, which is 10") as refused:
        infer.run(asked, 0, model)
    assert refused.value.field == "model.numClasses"


def test_more_classes_than_there_are_cannot_be_the_best(tmp_path: Path, model: Model) -> None:
    asked = steps.job(str(folder(tmp_path / "in", photographs.some(1))), str(tmp_path / "out"), classes=4)
    plan.run(asked)
    with pytest.raises(RequestError, match="is more than the model has classes, which is 4") as refused:
        infer.run(asked, 0, model)
    assert refused.value.field == "output.topK"


def test_members_of_a_tar(tmp_path: Path, model: Model) -> None:
    files = photographs.some(5)
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in/shard.tar", "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    plain, packed = (
        steps.job(str(folder(tmp_path / "plain", files)), str(tmp_path / "of-files")),
        steps.job(str(tmp_path / "in"), str(tmp_path / "of-tar")),
    )
    for asked in (plain, packed):
        plan.run(asked)
        infer.run(asked, 0, model)
    said = ["bytes", "error", "error_detail", "class_id", "score", "embedding"]
    assert steps.rows(packed).select(said).equals(steps.rows(plain).select(said))
