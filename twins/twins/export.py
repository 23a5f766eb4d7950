"""Write a network as the files that engines load: a Paddle Inference program and an ONNX graph.

Both take ``images``, uint8 ``[N, 224, 224, 3]`` RGB before normalisation, and give ``logits`` ``[N, classes]`` and
``features`` ``[N, width]``. Normalisation is inside: the integer nearest each channel's mean is subtracted, which
is exact in any precision, and the rest of it is folded into the first patch embedding.
"""

import contextlib
import errno
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from twins import model, onnx_graph
from twins.errors import RequestError
from twins.exported import Exported
from twins.paddlepaddle import Tensor, inference, nn, paddle
from twins.registry import Network, Preprocessing

# isort: split
import paddle2onnx  # imports Paddle too, so it comes after ours

TOLERANCE = 1e-4
"""How far an exported logit may be from the network's, relative to the largest logit."""

OUTPUTS = ("logits", "features")
OPSET = 17
"""The first with LayerNormalization."""

Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


class ExportDiffers(Exception):
    """What was written does not compute what the network computes: a fault of ours or of a converter."""


def export(network: model.Twins, spec: Network, directory: Path, *, batch: int | None = None) -> Exported:
    """Write ``network`` to ``directory``, which appears whole or not at all.

    Args:
        network: the network with its weights; it stays as it is.
        spec: its entry in the registry.
        directory: must not exist, or hold this very export.
        batch: images a call; ``None`` leaves it free.

    Raises:
        ExportDiffers: an exported file is further than ``TOLERANCE`` from the network.
        RequestError: ``directory`` holds something else.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    workspace = temporary / directory.name  # with the rights that folders have here: mkdtemp's are its owner's alone
    workspace.mkdir()
    try:
        _write(network, spec, workspace, batch)
        exported = Exported(
            network=spec.name,
            num_classes=network.head.weight.shape[1],
            weights=weights_digest(network),
            batch=batch,
            preprocessing=preprocessing_digest(spec.preprocessing),
            versions={name: importlib.metadata.version(name) for name in ("onnx", "paddle2onnx")}
            | {"paddle": paddle.__version__},
            difference=_differences(network, spec.preprocessing, workspace, batch),
        )
        (workspace / "export.json").write_text(exported.to_json())
        _land(workspace, directory, exported)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return exported


def weights_digest(network: nn.Layer) -> str:
    """SHA-256 over the parameters: name, shape and values, in the order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def preprocessing_digest(preprocessing: Preprocessing) -> str:
    return hashlib.sha256(json.dumps(asdict(preprocessing), sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _standard_output_to_error() -> Generator[None]:
    """Native code of Paddle and of its converter writes to standard output, which is our caller's."""
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


@_standard_output_to_error()
def _write(network: model.Twins, spec: Network, folder: Path, batch: int | None) -> None:
    # Names start from zero in the guard, so that the same weights give the same bytes.
    with paddle.utils.unique_name.guard():
        served = _Served(_copy(network, spec), spec.preprocessing)
        side = spec.preprocessing.crop
        images = paddle.static.InputSpec([batch, side, side, 3], "uint8", "images")
        paddle.jit.save(paddle.jit.to_static(served, input_spec=[images], full_graph=True), str(folder / "model"))
    _forget_layer_names(folder / "model.json")
    # Without a file to write it does no folding of its own, for which it would install packages.
    graph = paddle2onnx.export(
        str(folder / "model.json"), str(folder / "model.pdiparams"), opset_version=OPSET, auto_upgrade_opset=False
    )
    onnx.save(onnx_graph.tidy(onnx.load_from_string(graph), OUTPUTS), folder / "model.onnx")


def _forget_layer_names(program: Path) -> None:
    """Each operation names the layer it came from, for debugging, with a count of the whole process."""
    named = re.compile(r'"D":"[^"]*"(},"N":"struct_name")')
    program.write_text(named.sub(r'"D":""\1', program.read_text()))


def _copy(network: model.Twins, spec: Network) -> model.Twins:
    copy = model.build(spec.name, network.head.weight.shape[1], initialise=False)
    copy.set_state_dict(network.state_dict())
    copy.eval()
    return copy


class _Served(nn.Layer):
    """A network from pixels to logits and features. The network that it is given becomes part of it."""

    def __init__(self, network: model.Twins, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        centre = nn.initializer.Assign([float(round(255 * mean)) for mean in preprocessing.mean])
        self.centre = self.create_parameter([3], default_initializer=centre)
        first = network.patch_embeds[0]
        first.proj = _PatchMap(first.proj, *_folded(first.proj, preprocessing))
        for layer in network.sublayers():
            for name, child in layer.named_children():
                if isinstance(child, model.PatchConvolution):
                    setattr(layer, name, _PatchMap(child, child.matrix(), child.bias))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.features(images.astype("float32") - self.centre)
        return self.network.head(features), features


class _PatchMap(nn.Layer):
    """A patch convolution with its kernel laid out: a constant that no engine has to fold."""

    def __init__(self, convolution: model.PatchConvolution, matrix: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.side = convolution.side
        self.matrix = self.create_parameter(matrix.shape, default_initializer=nn.initializer.Assign(matrix))
        self.bias = self.create_parameter(bias.shape, is_bias=True, default_initializer=nn.initializer.Assign(bias))

    def forward(self, grid: Tensor) -> tuple[Tensor, model.Size]:
        return model.map_patches(grid, self.side, self.matrix, self.bias)


def _folded(convolution: model.PatchConvolution, preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """The first convolution for pixels ``x`` less the centre ``c``: ``W ((x + c) / 255 - mean) / std + b``, spread."""
    matrix = convolution.matrix().numpy().astype(np.float64).reshape([-1, 3, convolution.bias.shape[0]])
    mean, std = np.array(preprocessing.mean)[:, None], np.array(preprocessing.std)[:, None]
    rest = (np.round(255 * mean) / 255 - mean) / std
    bias = convolution.bias.numpy() + (matrix * rest).sum(axis=(0, 1))
    scaled = (matrix / (255 * std)).reshape([-1, matrix.shape[-1]])
    return paddle.to_tensor(scaled.astype(np.float32)), paddle.to_tensor(bias.astype(np.float32))


def _differences(
    network: model.Twins, preprocessing: Preprocessing, folder: Path, batch: int | None
) -> dict[str, float]:
    shape = (batch or 2, preprocessing.crop, preprocessing.crop, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = _network_outputs(network, preprocessing, images)
    measured = {
        "paddle": _difference(_paddle_outputs(folder, images), expected),
        "onnx": _difference(_onnx_outputs(folder, images), expected),
    }
    for written, difference in measured.items():
        if not difference <= TOLERANCE:
            raise ExportDiffers(f"the {written} export is {difference:.1e} of the largest value off the network")
    return measured


def _difference(actual: Arrays, expected: Arrays) -> float:
    return max(float(np.abs(a - e).max() / np.abs(e).max()) for a, e in zip(actual, expected, strict=True))


def _network_outputs(network: model.Twins, preprocessing: Preprocessing, images: npt.NDArray[np.uint8]) -> Arrays:
    pixels = images.astype(np.float64) / 255
    normalised = ((pixels - preprocessing.mean) / preprocessing.std).astype(np.float32)
    training = network.training
    network.eval()
    with paddle.no_grad():
        features = network.features(paddle.to_tensor(normalised))
        logits = network.head(features)
    network.train() if training else network.eval()
    return logits.numpy(), features.numpy()


@_standard_output_to_error()
def _paddle_outputs(folder: Path, images: npt.NDArray[np.uint8]) -> Arrays:
    config = inference.Config(str(folder / "model.json"), str(folder / "model.pdiparams"))
    config.disable_gpu()
    config.enable_new_ir(True)
    config.enable_new_executor(True)
    config.disable_glog_info()
    logits, features = inference.create_predictor(config).run([paddle.to_tensor(images)])
    return logits.numpy(), features.numpy()


def _onnx_outputs(folder: Path, images: npt.NDArray[np.uint8]) -> Arrays:
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    outputs: Any = session.run(OUTPUTS, {"images": images})
    return outputs[0], outputs[1]


def _land(workspace: Path, directory: Path, exported: Exported) -> None:
    try:
        workspace.rename(directory)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        if not _holds(directory, exported):
            raise RequestError(
                "directory", directory, "is there already and holds something else", "Remove it or choose another."
            ) from error


def _holds(directory: Path, exported: Exported) -> bool:
    try:
        return Exported.read(directory).same_model(exported)
    except (OSError, ValueError, KeyError, TypeError):
        return False
