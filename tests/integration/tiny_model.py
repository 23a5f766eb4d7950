"""A real exported model that costs next to nothing: an image's mean colour, through one linear layer and a head."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 10
WIDTH = 512
"""That of alt_gvt_small, whose place it takes."""


def write(folder: Path) -> Path:
    """The folder that ``model.weights`` may name."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(_model().SerializeToString())
    (folder / "export.json").write_text(json.dumps(_description()))
    return folder


def _description() -> dict[str, object]:
    return {
        "network": "alt_gvt_small",
        "numClasses": CLASSES,
        "weights": "0" * 64,
        "batch": None,
        "preprocessing": "1" * 64,
        "versions": {"onnx": onnx.__version__},
        "difference": {"onnx": 0.0},
    }


def _model() -> onnx.ModelProto:
    random = np.random.default_rng(0)
    constants = {
        "embed": random.normal(size=(3, WIDTH)).astype(np.float32) / 255,
        "head": random.normal(size=(WIDTH, CLASSES)).astype(np.float32),
        "sides": np.array([1, 2]),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats", "sides"], ["colour"], keepdims=0),
            helper.make_node("MatMul", ["colour", "embed"], ["features"]),
            helper.make_node("MatMul", ["features", "head"], ["logits"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 224, 224, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", WIDTH]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
