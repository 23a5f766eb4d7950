"""Calibrate an exported model for int8: the two linear maps of every MLP, and nothing else.

They are two thirds of the arithmetic, and what follows them is added to a residual that stays in floating point.
Quantising the attention too gains a few percent and loses agreement; SmoothQuant, NNCF's default for transformers,
ruins these networks and is off.
"""

import contextlib
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nncf
import openvino
from openvino import Model, Node

from twins.engines import Images
from twins.engines.openvino import INT8_GRAPH
from twins.errors import RequestError

SUBJECTS = {"MatMul", "Convolution", "GroupConvolution", "Add", "Subtract", "Multiply", "Divide", "MVN", "ReduceMean"}
"""What NNCF would otherwise quantise."""


def quantise(directory: Path, images: Images) -> Path:
    """Write the int8 graph of the exported model in ``directory`` beside it; give its path.

    Args:
        directory: a folder of ``twins.export``.
        images: ``[n, 224, 224, 3]``, like those to be classified: the ranges of activations are theirs. Some hundred
            will do.

    Raises:
        RequestError: there are no images.
    """
    if len(images) == 0:
        raise RequestError("engine.precision", "int8", "needs pictures to calibrate on", "Give it some, or use bf16.")
    graph = openvino.Core().read_model(directory / "model.onnx")
    # NNCF draws its progress on standard output, which is our caller's.
    with contextlib.redirect_stdout(sys.stderr):
        return _save(_quantised(graph, images), directory)


def _quantised(graph: Model, images: Images) -> Model:
    nncf.set_log_level(logging.WARNING)
    return nncf.quantize(
        graph,
        nncf.Dataset([images[start : start + 1] for start in range(len(images))]),
        subset_size=len(images),
        model_type=nncf.ModelType.TRANSFORMER,
        ignored_scope=nncf.IgnoredScope(names=sorted(_kept(graph))),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
        ),
    )


def _kept(graph: Model) -> Iterator[str]:
    """The names of what stays in floating point: everything but the map before and the map after each GELU."""
    nodes = graph.get_ordered_ops()
    functions = [node for node in nodes if node.get_type_name() == "Erf"]
    maps = {found.get_name() for node in functions for found in (_map_before(node), _map_after(node))}
    return (
        node.get_friendly_name() for node in nodes if node.get_type_name() in SUBJECTS and node.get_name() not in maps
    )


def _map_before(node: Node) -> Node:
    while node.get_type_name() != "MatMul":
        node = node.input_value(0).get_node()
    return node


def _map_after(node: Node) -> Node:
    while node.get_type_name() != "MatMul":
        node = next(iter(node.output(0).get_target_inputs())).get_node()
    return node


def _save(graph: Model, directory: Path) -> Path:
    """The weights land before the graph that reads them: an engine sees both or neither."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".int8-") as scratch:
        written = Path(scratch) / INT8_GRAPH
        openvino.save_model(graph, written, compress_to_fp16=False)
        written.with_suffix(".bin").rename((directory / INT8_GRAPH).with_suffix(".bin"))
        return written.rename(directory / INT8_GRAPH)
