"""Clamps go behind the linear maps where they pay, and clamp nothing."""

import numpy as np
import openvino
import pytest
from openvino import Model, opset13

from twins.engines.openvino_graph import prefer_onednn


def mlp(*shapes: tuple[int, int]) -> Model:
    """Linear maps with weights of these shapes, one after the other."""
    generator = np.random.default_rng(0)
    images = opset13.parameter([2, shapes[0][0]], np.float32)
    value = images
    for depth, width in shapes:
        weights = generator.standard_normal((depth, width), dtype=np.float32)
        value = opset13.add(opset13.matmul(value, weights, False, False), np.ones(width, np.float32))
    return Model([value], [images])


def clamped(graph: Model) -> list[int]:
    """The width of what each clamp is behind."""
    return [node.get_output_shape(0)[1] for node in graph.get_ordered_ops() if node.get_type_name() == "Clamp"]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        pytest.param([(16, 64), (64, 16)], [16], id="the second map of an MLP, not the first"),
        pytest.param([(16, 48), (48, 32)], [48], id="queries, keys and values of the narrow stage"),
        pytest.param([(16, 16), (16, 32), (32, 32)], [16], id="a square map of the narrow stage only"),
    ],
)
def test_where_clamps_go(shapes: list[tuple[int, int]], expected: list[int]) -> None:
    graph = mlp(*shapes)

    chosen = prefer_onednn(graph)

    assert (chosen, clamped(graph)) == (len(expected), expected)


def test_a_clamp_changes_nothing() -> None:
    values = np.random.default_rng(1).standard_normal((2, 16), dtype=np.float32)
    plain, passed = mlp((16, 64), (64, 16)), mlp((16, 64), (64, 16))
    prefer_onednn(passed)

    results = [
        openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(values)[0]
        for graph in (plain, passed)
    ]

    assert np.abs(results[0] - results[1]).max() <= 1e-5 * np.abs(results[0]).max()
