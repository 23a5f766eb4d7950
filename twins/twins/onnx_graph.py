"""Small passes over an exported ONNX graph. Each leaves what the graph computes as it is."""

from collections import Counter

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto


def tidy(model: ModelProto, outputs: tuple[str, ...]) -> ModelProto:
    """The same graph with constants as initializers, without identities, its outputs called ``outputs``.

    A batch that is free is called ``N`` in the input and in every output. ``model`` itself is changed.
    """
    graph = model.graph
    _name_outputs(graph, outputs)
    _lift_constants(graph)
    _drop_identities(graph)
    _drop_unused(graph)
    _name_batch(graph)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    return model


def _name_outputs(graph: GraphProto, names: tuple[str, ...]) -> None:
    renamed = {output.name: name for output, name in zip(graph.output, names, strict=True)}
    for output in graph.output:
        output.name = renamed[output.name]
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]


def _lift_constants(graph: GraphProto) -> None:
    lifted = [(node, _constant(node)) for node in graph.node if node.op_type == "Constant"]
    for node, tensor in lifted:
        graph.node.remove(node)
        graph.initializer.append(tensor)


def _constant(node: NodeProto) -> TensorProto:
    tensor = TensorProto()
    tensor.CopyFrom(node.attribute[0].t)
    tensor.name = node.output[0]
    return tensor


def _drop_identities(graph: GraphProto) -> None:
    """Readers of an identity read its source. One that names an output of the graph hands that name to its source."""
    kept = {output.name for output in graph.output}
    sources = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Identity" and node.output[0] not in kept
    }
    outputs = {
        node.input[0]: node.output[0] for node in graph.node if node.op_type == "Identity" and node.output[0] in kept
    }
    _rewire(graph, sources, outputs)
    remaining = [node for node in graph.node if node.op_type != "Identity"]
    del graph.node[:]
    graph.node.extend(remaining)


def _rewire(graph: GraphProto, sources: dict[str, str], outputs: dict[str, str]) -> None:
    def final(name: str) -> str:
        while name in sources:
            name = sources[name]
        return outputs.get(name, name)

    for node in graph.node:
        node.input[:] = [final(name) for name in node.input]
        node.output[:] = [outputs.get(name, name) for name in node.output]


def _drop_unused(graph: GraphProto) -> None:
    reads = Counter(name for node in graph.node for name in node.input)
    used = [tensor for tensor in graph.initializer if reads[tensor.name]]
    del graph.initializer[:]
    graph.initializer.extend(used)


def _name_batch(graph: GraphProto) -> None:
    for value in (*graph.input, *graph.output):
        batch = value.type.tensor_type.shape.dim[0]
        if batch.HasField("dim_param"):
            batch.dim_param = "N"
