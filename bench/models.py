"""What the contestants run: our export, PaddleClas' own network as it exports, and a model that costs nothing."""

from pathlib import Path

import numpy as np
import onnx
import paddle
import paddleclas_model
from onnx import TensorProto, helper, numpy_helper

from twins import export, model, registry

NETWORK = "alt_gvt_small"
SEED = 0


def twins(folder: Path) -> Path:
    """Our network, exported, with the random weights that PaddleClas' gets too."""
    network = model.build(NETWORK)
    weights = paddleclas_model.random_weights(paddleclas_model.build(NETWORK), SEED)
    network.set_state_dict({name: paddle.to_tensor(value) for name, value in weights.items()})
    network.eval()
    export.export(network, registry.network(NETWORK), folder)
    return folder


def paddleclas(folder: Path) -> Path:
    """PaddleClas' network as ``ppcls`` exports it: the stem of an inference program, normalised NCHW floats in."""
    network = paddleclas_model.build(NETWORK)
    weights = paddleclas_model.random_weights(network, SEED)
    network.set_state_dict({name: paddle.to_tensor(value) for name, value in weights.items()})
    images = paddle.static.InputSpec([None, 3, 224, 224], "float32")
    paddle.jit.save(paddle.jit.to_static(network, input_spec=[images]), str(folder / "inference"))
    return folder / "inference"


def null(folder: Path) -> Path:
    """An exported model that looks at one pixel: its class is the pixel's red level."""
    folder.mkdir(parents=True)
    onnx.save(_one_pixel(), folder / "model.onnx")
    described = export.Exported(NETWORK, 1000, "null", None, "null", {}, {})
    (folder / "export.json").write_text(described.to_json())
    return folder


def _one_pixel() -> onnx.ModelProto:
    width = registry.network(NETWORK).widths[-1]
    constants = {
        "at": np.array([112 * 224 * 3 + 112 * 3]),
        "flat": np.array([0, -1]),
        "levels": np.eye(256, 1000, dtype=np.float32),
        "embeddings": np.zeros((256, width), np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["images", "flat"], ["row"]),
        helper.make_node("Gather", ["row", "at"], ["column"], axis=1),
        helper.make_node("Cast", ["column"], ["level"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["level", "one"], ["index"]),
        helper.make_node("Gather", ["levels", "index"], ["logits"]),
        helper.make_node("Gather", ["embeddings", "index"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "one pixel",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 224, 224, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1000]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", width]),
        ],
        [numpy_helper.from_array(value, name) for name, value in (constants | {"one": np.array([1])}).items()],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(whole)
    return whole
