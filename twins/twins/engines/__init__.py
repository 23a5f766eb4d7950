"""Engines: one small protocol, one file an engine."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from twins.errors import RequestError

CPU_BACKENDS = ("openvino", "onnxruntime", "onednn")
GPU_BACKENDS = ("tensorrt", "cuda")
"""What ``auto`` chooses from. ONNX Runtime takes a GPU where its build has one."""

INSTALL_CPU = "In a checkout: pip install '.[worker-cpu]'."
INSTALL_GPU = "In a checkout, with Paddle's GPU index (README, On a GPU): pip install '.[worker-gpu]'."

Images = npt.NDArray[np.uint8]
"""``[n, 224, 224, 3]``, RGB, before normalisation: what ``twins.preprocess.crop`` gives, stacked."""


@dataclass(frozen=True)
class Prediction:
    """What a network says of ``n`` images."""

    logits: npt.NDArray[np.float32]
    """``[n, classes]``"""
    features: npt.NDArray[np.float32]
    """``[n, width]``, the pooled tokens before the classifier: the embedding."""


class Engine(Protocol):
    """A network, loaded, on a device."""

    def run(self, images: Images) -> Prediction:
        """Predict, in order. Any ``n``: the engine splits it into the calls that suit the device."""
        ...

    def close(self) -> None: ...


class Loader(Protocol):
    """How each engine's module opens an exported model (``twins.export``)."""

    def __call__(self, model: Path, *, precision: str, batch_size: int | None) -> Engine: ...


def load(backend: str, model: Path, *, precision: str, batch_size: int | None) -> Engine:
    """Open ``model`` with the engine called ``backend``.

    Raises:
        RequestError: the engine is not installed here, has no device, or does not offer the precision.
    """
    loader: Loader = _module(backend).load
    return loader(model, precision=precision, batch_size=batch_size)


def compiled_name(backend: str, precision: str, batch_size: int | None) -> str | None:
    """The folder, below an exported model's, where ``backend`` keeps what it compiled; ``None`` where it does not."""
    named = getattr(_module(backend), "compiled_name", None)
    return named(precision, batch_size) if named else None


def _module(backend: str) -> ModuleType:
    try:
        return import_module(f"twins.engines.{backend}")
    except ModuleNotFoundError as missing:
        remedy = INSTALL_GPU if backend in GPU_BACKENDS else INSTALL_CPU
        raise RequestError("engine.backend", backend, f"needs the package {missing.name}", remedy) from missing
