"""The networks of the wheel ``paddleclas`` as they are: what ours is held to, and what is measured against.

The wheel is installed without its requirements, so its packages are stood in for and only two files are run.
"""

import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ZOO = "paddleclas_reference.ppcls.arch.backbone.model_zoo"
STUBS = {"paddleclas_reference.ppcls.utils.save_load": {"load_dygraph_pretrain": None}}
"""What the two files import beside Paddle and each other, and never call here."""


def build(name: str) -> Any:
    """PaddleClas' own network, in evaluation mode: normalised NCHW images to logits."""
    network = getattr(_zoo(), name)()
    network.eval()
    return network


def random_weights(network: Any, seed: int) -> Mapping[str, npt.NDArray[np.float32]]:
    """A value for each parameter of ``network`` such that every one of them shows in the logits."""
    generator = np.random.default_rng(seed)
    shapes = {name: tuple(value.shape) for name, value in sorted(network.state_dict().items())}
    return {name: _draw(generator, name, shape) for name, shape in shapes.items()}


def _draw(generator: np.random.Generator, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    values = generator.standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
        return values * np.float32(0.05)
    is_scale = "norm" in name and name.endswith("weight")
    return values * np.float32(0.2) + np.float32(is_scale)


@cache
def _zoo() -> types.ModuleType:
    folder = _folder()
    packages = [ZOO.rsplit(".", depth)[0] for depth in range(4, 0, -1)]
    for name in (*packages, ZOO, "paddleclas_reference.ppcls.utils"):
        sys.modules[name] = _package(name)
    for name, content in STUBS.items():
        sys.modules[name] = _package(name)
        vars(sys.modules[name]).update(content)
    _run(f"{ZOO}.vision_transformer", folder / "vision_transformer.py")
    return _run(f"{ZOO}.twins", folder / "twins.py")


def _folder() -> Path:
    files = importlib.metadata.files("paddleclas") or []
    return next(Path(file.locate()).parent for file in files if file.match("model_zoo/twins.py"))


def _package(name: str) -> types.ModuleType:
    package = types.ModuleType(name)
    package.__path__ = []
    return package


def _run(name: str, file: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
