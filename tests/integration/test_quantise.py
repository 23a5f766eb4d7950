"""int8 of the MLPs against FP32, on random weights."""

from pathlib import Path

import numpy as np
import openvino
import paddleclas_model
import pytest

from twins import export, model, quantise, registry
from twins.engines import Images
from twins.engines.openvino import load
from twins.errors import RequestError


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = model.build("alt_gvt_small")
    network.set_state_dict(paddleclas_model.random_weights(network, seed=0))
    folder = tmp_path_factory.mktemp("models") / "alt_gvt_small"
    export.export(network, registry.network("alt_gvt_small"), folder)
    quantise.quantise(folder, images(8, seed=0))
    return folder


def images(count: int, seed: int) -> Images:
    return np.random.default_rng(seed).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def test_both_maps_of_each_mlp_are_int8_and_nothing_else(directory: Path) -> None:
    graph = openvino.Core().read_model(directory / quantise.INT8_GRAPH)

    ranges = [node for node in graph.get_ops() if node.get_type_name() == "FakeQuantize"]
    readers = [next(iter(node.output(0).get_target_inputs())).get_node().get_type_name() for node in ranges]

    assert readers == ["MatMul"] * 2 * sum(registry.network("alt_gvt_small").depths)


def test_int8_agrees_with_fp32(directory: Path) -> None:
    pixels = images(20, seed=1)

    reduced = load(directory, precision="int8", batch_size=None).run(pixels).logits
    exact = load(directory, precision="fp32", batch_size=None).run(pixels).logits

    assert np.mean(reduced.argmax(axis=1) == exact.argmax(axis=1)) >= 0.9
    assert 1e-4 < np.abs(reduced - exact).max() / np.abs(exact).max() < 4e-2


def test_in_int8_an_image_gets_the_same_bits_wherever_it_stands(directory: Path) -> None:
    pixels, engine = images(6, seed=1), load(directory, precision="int8", batch_size=None)

    assert np.array_equal(engine.run(pixels[::-1]).logits[::-1], engine.run(pixels).logits)


def test_calibration_needs_pictures(directory: Path) -> None:
    with pytest.raises(RequestError, match="needs pictures to calibrate on"):
        quantise.quantise(directory, images(0, seed=0))
