"""The model made ready: exported once, shared whole, guarded, and decided once for all shards."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model
from onnx import numpy_helper
from s3_server import S3Server

from twins.errors import RequestError
from twins.exported import Exported
from twins_worker import guard, prepare, settings
from twins_worker.settings import Job
from twins_worker.storage import open_place

PICTURES = np.random.default_rng(0).integers(0, 256, (7, 224, 224, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine's cache, empty."""
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "machine"))
    return tmp_path / "machine"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return _job(tiny_model.write(tmp_path / "given"), tmp_path / "out")


def _job(weights: Path | str, output: Path | str, endpoint: str | None = None, **engine: object) -> Job:
    return Job.model_validate(
        {
            "model": {"name": "alt_gvt_small", "weights": str(weights), "numClasses": tiny_model.CLASSES},
            "input": {"uri": "/nowhere/"},
            "output": {"uri": str(output)},
            "engine": {"backend": "onnxruntime", **engine},
            "storage": {"endpoint": endpoint},
        }
    )


def test_the_verdict_lies_in_the_output_and_a_second_run_repeats_it(job: Job, tmp_path: Path) -> None:
    first = prepare.run(job)
    written = (tmp_path / "out/_plan/prepared.json").read_bytes()
    assert prepare.run(job) == first
    assert (tmp_path / "out/_plan/prepared.json").read_bytes() == written
    assert json.loads(written)["backend"] == "onnxruntime"
    assert first.why == "asked for"


def test_an_output_of_another_job_is_refused(job: Job, tmp_path: Path) -> None:
    prepare.run(job)
    other = _job(tmp_path / "given", tmp_path / "out", precision="fp32", backend="openvino")
    with pytest.raises(RequestError, match=r"output\.uri: .* holds another job's predictions"):
        prepare.run(other)


def test_an_engine_that_is_not_here_is_refused_before_anything_is_decided(job: Job, tmp_path: Path) -> None:
    asked = job.model_copy(update={"engine": settings.Engine(backend="cuda")})
    with pytest.raises(RequestError, match=r"engine\.backend: 'cuda' needs Paddle built for CUDA"):
        prepare.run(asked)
    assert not (tmp_path / "out/_plan").exists()


def test_auto_passes_over_an_engine_that_breaks(job: Job, tmp_path: Path) -> None:
    """The tiny model has no Paddle program: oneDNN cannot open it, the others can."""
    asked = job.model_copy(update={"engine": settings.Engine()})
    prepared = prepare.run(asked)
    assert prepared.backend in ("openvino", "onnxruntime")
    assert "onednn fails here" in prepared.why


def test_what_is_prepared_loads_and_predicts(job: Job) -> None:
    engine = prepare.load(prepare.run(job), job)
    prediction = engine.run(PICTURES)
    engine.close()
    assert prediction.logits.shape == (7, tiny_model.CLASSES)
    assert prediction.features.shape == (7, tiny_model.WIDTH)


def test_a_network_is_exported_once(tmp_path: Path, machine: Path) -> None:
    told: list[str] = []
    for output in ("first", "second"):
        prepare.run(_network_job(tmp_path / output), tell=told.append)
    assert [line for line in told if line.startswith("exporting")] == ["exporting alt_gvt_small with random:3"]
    (folder,) = (machine / "models").iterdir()
    assert Exported.read(folder).network == "alt_gvt_small"


def _network_job(output: Path) -> Job:
    return Job.model_validate(
        {
            "model": {"name": "alt_gvt_small", "weights": "random:3"},
            "input": {"uri": "/nowhere/"},
            "output": {"uri": str(output)},
        }
    )


def test_auto_names_every_engine_that_it_measured(tmp_path: Path) -> None:
    prepared = prepare.run(_network_job(tmp_path / "out"))
    assert prepared.backend in ("openvino", "onnxruntime", "onednn")
    assert all(f"{backend} " in prepared.why for backend in ("openvino", "onnxruntime", "onednn", "cuda", "tensorrt"))


def test_a_second_machine_takes_the_model_from_the_bucket(
    bucket: str, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tiny_model.write(tmp_path / "given")
    job = _job(given, f"{bucket}out/", s3_server.endpoint)
    prepared = prepare.run(job)
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "second machine"))
    (given / "model.onnx").unlink()
    prepare.load(prepared, job).close()
    assert (tmp_path / "second machine/models" / prepared.key / "export.json").exists()


def test_a_tampered_model_is_not_run(
    bucket: str, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job(tiny_model.write(tmp_path / "given"), f"{bucket}out/", s3_server.endpoint)
    prepared = prepare.run(job)
    cache = open_place(f"{bucket}.twins/cache/", job.storage)
    for blob in list(cache.list("blobs/")):
        cache.put(blob.key, b"something else")
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "second machine"))
    with pytest.raises(RequestError, match="is not what its name says"):
        prepare.load(prepared, job)


def test_a_list_that_points_outside_the_model_is_refused(
    bucket: str, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job(tiny_model.write(tmp_path / "given"), f"{bucket}out/", s3_server.endpoint)
    prepared = prepare.run(job)
    cache = open_place(f"{bucket}.twins/cache/", job.storage)
    index = json.loads(cache.get(f"models/{prepared.key}.json"))
    cache.put(f"models/{prepared.key}.json", json.dumps({"../../escaped": index["export.json"]}).encode())
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "second machine"))
    with pytest.raises(RequestError, match="lists a file outside the model"):
        prepare.load(prepared, job)
    assert not (tmp_path / "second machine/escaped").exists()


def _prepare_in_a_process(job: Job, results: "multiprocessing.Queue[str]") -> None:
    results.put(prepare.run(job).key)


def test_two_processes_at_once_agree(job: Job) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_prepare_in_a_process, args=(job, results)) for _ in range(2)]
    for process in processes:
        process.start()
    keys = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param({"name": "pcpvt_small"}, "model.name: 'pcpvt_small' .* alt_gvt_small", id="another network"),
        pytest.param({"numClasses": 7}, "model.numClasses: '7' .* 10", id="another number of classes"),
    ],
)
def test_an_exported_model_that_the_job_does_not_describe(job: Job, model: dict[str, object], message: str) -> None:
    asked = job.model_copy(update={"model": settings.Model(**(job.model.model_dump() | _snake(model)))})
    with pytest.raises(RequestError, match=message):
        prepare.run(asked)


def _snake(model: dict[str, object]) -> dict[str, object]:
    return {{"numClasses": "num_classes"}.get(name, name): value for name, value in model.items()}


def test_the_guard_stops_a_precision_that_changes_predictions(tmp_path: Path) -> None:
    model = _with_near_ties(tiny_model.write(tmp_path / "close"))
    asked = settings.Engine(backend="openvino", precision="bf16", guard=settings.Guard(min_agreement=0.99))
    with pytest.raises(guard.AccuracyGuardFailed, match=r"agrees with fp32 .* 7 pictures .* 99\.00%"):
        guard.check(asked, "openvino", model, PICTURES)


def _with_near_ties(folder: Path) -> Path:
    """The weights of all classes round to the same bf16 numbers; in FP32 each class is a little above the last."""
    model = onnx.load(folder / "model.onnx")
    constants = {constant.name: constant for constant in model.graph.initializer}
    along = numpy_helper.to_array(constants["embed"]).sum(axis=0)
    along = (along.view(np.uint32) & 0xFFFF0000).view(np.float32)
    head = along[:, None] * (1 + np.arange(tiny_model.CLASSES, dtype=np.float32) * 2.0**-14)
    constants["head"].CopyFrom(numpy_helper.from_array(head.astype(np.float32), "head"))
    onnx.save(model, folder / "model.onnx")
    return folder


def test_the_guard_measures_what_it_lets_pass(tmp_path: Path) -> None:
    model = tiny_model.write(tmp_path / "apart")
    asked = settings.Engine(backend="openvino", precision="bf16", guard=settings.Guard(min_agreement=0.5))
    assert guard.check(asked, "openvino", model, PICTURES) >= 0.5
