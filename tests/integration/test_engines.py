"""Engines of the CPU against the network itself, on exports of all six."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import paddleclas_model
import pytest
from openvino import Core

from twins import export, model, registry
from twins.engines import Engine, Images, Loader, Prediction, onednn, onnxruntime, openvino
from twins.errors import RequestError
from twins.paddlepaddle import paddle

SMALL = "alt_gvt_small"
ENGINES = [
    pytest.param(onednn.load, id="onednn"),
    pytest.param(onnxruntime.load, id="onnxruntime"),
    pytest.param(openvino.load, id="openvino"),
]
HAS_BF16 = "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
needs_bf16 = pytest.mark.skipif(not HAS_BF16, reason="this processor has no bf16 instructions")


def network(name: str) -> model.Twins:
    built = model.build(name, initialise=False)
    built.set_state_dict(paddleclas_model.random_weights(built, seed=0))
    built.eval()
    return built


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def write(name: str) -> Path:
        directory = tmp_path_factory.mktemp("models") / name
        export.export(network(name), registry.network(name), directory)
        return directory

    return write


def images(count: int) -> Images:
    return np.random.default_rng(1).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def expected(name: str, pixels: Images) -> Prediction:
    spec = registry.network(name).preprocessing
    normalised = ((pixels / 255 - spec.mean) / spec.std).astype(np.float32)
    with paddle.no_grad():
        built = network(name)
        features = built.features(paddle.to_tensor(normalised))
        return Prediction(built.head(features).numpy(), features.numpy())


def largest_difference(actual: Prediction, wanted: Prediction) -> float:
    pairs = (actual.logits, wanted.logits), (actual.features, wanted.features)
    assert all(a.shape == w.shape and a.dtype == np.float32 for a, w in pairs)
    return max(float(np.abs(a - w).max() / np.abs(w).max()) for a, w in pairs)


@pytest.mark.parametrize("name", registry.NETWORKS)
def test_every_network_predicts_the_same_on_every_engine(name: str, exported: Callable[[str], Path]) -> None:
    directory, pixels = exported(name), images(3)
    wanted = expected(name, pixels)

    loaders: dict[str, Loader] = {"onednn": onednn.load, "onnxruntime": onnxruntime.load, "openvino": openvino.load}
    engines = {backend: load(directory, precision="fp32", batch_size=None) for backend, load in loaders.items()}
    differences = {backend: largest_difference(engine.run(pixels), wanted) for backend, engine in engines.items()}

    assert max(differences.values()) <= 1e-4, differences


@pytest.mark.parametrize("load", ENGINES)
@pytest.mark.parametrize("batch_size", [pytest.param(None, id="own batch"), pytest.param(4, id="batch of 4")])
def test_an_image_gets_the_same_bits_wherever_it_stands(
    load: Loader, batch_size: int | None, exported: Callable[[str], Path]
) -> None:
    engine = load(exported(SMALL), precision="fp32", batch_size=batch_size)

    _assert_rows_stand_alone(engine)


@needs_bf16
def test_in_bf16_an_image_gets_the_same_bits_wherever_it_stands(exported: Callable[[str], Path]) -> None:
    engine = openvino.load(exported(SMALL), precision="bf16", batch_size=None)

    _assert_rows_stand_alone(engine)


def _assert_rows_stand_alone(engine: Engine) -> None:
    pixels = images(9)
    order = np.random.default_rng(2).permutation(9)

    whole = engine.run(pixels)
    shuffled = engine.run(pixels[order])
    few = engine.run(pixels[2:5])
    engine.close()

    assert np.array_equal(shuffled.logits, whole.logits[order])
    assert np.array_equal(shuffled.features, whole.features[order])
    assert np.array_equal(few.logits, whole.logits[2:5])


@needs_bf16
def test_bf16_stays_near_fp32(exported: Callable[[str], Path]) -> None:
    pixels = images(8)
    reduced = openvino.load(exported(SMALL), precision="bf16", batch_size=None).run(pixels)

    difference = largest_difference(reduced, expected(SMALL, pixels))

    # Above a rounding error of FP32, since it is another precision; below what moves a prediction.
    assert 1e-4 < difference < 2e-2


@pytest.mark.parametrize(
    ("load", "precision", "message"),
    [
        pytest.param(openvino.load, "fp16", "'fp16' is not offered by openvino", id="openvino computes no fp16"),
        pytest.param(openvino.load, "int8", "needs model_int8.xml", id="int8 needs a calibrated graph"),
        pytest.param(onnxruntime.load, "bf16", "'bf16' is not offered by onnxruntime", id="onnxruntime is fp32"),
    ],
)
def test_a_precision_that_is_not_there_is_refused(
    load: Loader, precision: str, message: str, exported: Callable[[str], Path]
) -> None:
    with pytest.raises(RequestError, match=message):
        load(exported(SMALL), precision=precision, batch_size=None)


@pytest.mark.parametrize("load", ENGINES[1:])
def test_a_model_of_one_fixed_batch_serves_any_number(load: Loader, tmp_path: Path) -> None:
    export.export(network(SMALL), registry.network(SMALL), tmp_path / "model", batch=2)
    pixels = images(3)

    prediction = load(tmp_path / "model", precision="fp32", batch_size=None).run(pixels)

    assert largest_difference(prediction, expected(SMALL, pixels)) <= 1e-4
