"""A pass over an OpenVINO graph that chooses kernels and leaves what is computed as it is."""

from collections.abc import Iterator

from openvino import Model, Node, opset13

NO_LIMIT = 3e38
"""Just inside float32's range: clamping to it changes no finite number."""


def prefer_onednn(graph: Model) -> int:
    """Have oneDNN compute the linear maps that it computes faster than MLAS in FP32; how many those are.

    OpenVINO gives a linear map in FP32 to MLAS, unless something is fused behind it, which only oneDNN does. So a
    clamp that never clamps is put behind the bias. Measured layer by layer with OpenVINO 2026.4 (Zen 4): it pays
    where sums are long (the MLP's second map, sub-sampling, patch embeddings) and in the narrow first stage; where
    the output is as wide as the input or wider, MLAS is as fast or faster.
    """
    linear_maps = list(_linear_maps(graph))
    narrowest = min((min(shape) for _, shape in linear_maps), default=0)
    chosen = [bias for bias, shape in linear_maps if _pays(*shape, stage_1=narrowest)]
    for bias in chosen:
        _clamp(bias)
    graph.validate_nodes_and_infer_types()
    return len(chosen)


def _pays(depth: int, width: int, stage_1: int) -> bool:
    return depth >= 2 * width or (depth == stage_1 and width in (depth, 3 * depth))


def _linear_maps(graph: Model) -> Iterator[tuple[Node, tuple[int, int]]]:
    """Each addition of a bias to a product with weights ``[depth, width]``, and that shape."""
    for product in graph.get_ordered_ops():
        if product.get_type_name() != "MatMul":
            continue
        weights = product.input_value(1)
        if weights.get_node().get_type_name() == "Constant":
            readers = [reader.get_node() for reader in product.output(0).get_target_inputs()]
            if [reader.get_type_name() for reader in readers] == ["Add"]:
                depth, width = weights.get_shape()
                yield readers[0], (depth, width)


def _clamp(bias: Node) -> None:
    readers = bias.output(0).get_target_inputs()
    clamped = opset13.clamp(bias.output(0), -NO_LIMIT, NO_LIMIT)
    for reader in readers:
        reader.replace_source_output(clamped.output(0))
