"""Tidying changes how a graph is written, not what it computes."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from twins.onnx_graph import tidy


def converted() -> onnx.ModelProto:
    """``(x + 1) * 2`` as a converter leaves it: constants as nodes, identities between, one constant unread."""
    one, two, unread = (numpy_helper.from_array(np.float32([value]), "") for value in (1, 2, 3))
    nodes = [
        helper.make_node("Constant", [], ["one"], value=one),
        helper.make_node("Constant", [], ["two"], value=two),
        helper.make_node("Constant", [], ["unread"], value=unread),
        helper.make_node("Identity", ["one"], ["same one"]),
        helper.make_node("Identity", ["same one"], ["still one"]),
        helper.make_node("Add", ["x", "still one"], ["sum"]),
        helper.make_node("Mul", ["sum", "two"], ["product"]),
        helper.make_node("Identity", ["product"], ["fetch 0"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["free", 1]) for name in ("x", "fetch 0")]
    graph = helper.make_graph(nodes, "converted", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_tidy_graph_has_only_what_computes() -> None:
    graph = tidy(converted(), ("logits",)).graph

    assert [node.op_type for node in graph.node] == ["Add", "Mul"]
    assert {tensor.name: numpy_helper.to_array(tensor).item() for tensor in graph.initializer} == {"one": 1, "two": 2}
    assert [value.name for value in graph.output] == ["logits"]
    assert [value.type.tensor_type.shape.dim[0].dim_param for value in (*graph.input, *graph.output)] == ["N", "N"]


def test_a_tidy_graph_computes_the_same() -> None:
    x = np.float32([[1], [2], [3]])

    (before,) = ReferenceEvaluator(converted()).run(None, {"x": x})
    (after,) = ReferenceEvaluator(tidy(converted(), ("logits",))).run(None, {"x": x})

    assert np.array_equal(after, before)
