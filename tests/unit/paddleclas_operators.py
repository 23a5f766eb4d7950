"""PaddleClas' own evaluation operators, run from its wheel: what :mod:`twins.preprocess` is held to.

The wheel's module imports what its requirements bring (Paddle's transforms, a detection pipeline). The four classes
of the evaluation need none of it, so they are taken out of the module's syntax tree as they stand there.
"""

import ast
import functools
import importlib.util
import types
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from twins.opencv import cv2

_CLASSES = ("UnifiedResize", "OperatorParamError", "DecodeImage", "ResizeImage", "CropImage")


@functools.cache
def _operators() -> dict[str, Any]:
    wheel = importlib.util.find_spec("paddleclas")
    assert wheel is not None
    assert wheel.origin is not None
    source = Path(wheel.origin).parent / "deploy" / "python" / "preprocess.py"
    tree = ast.parse(source.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in _CLASSES]
    space = {
        "cv2": cv2,
        "np": np,
        "Image": Image,
        "partial": functools.partial,
        "six": types.SimpleNamespace(PY2=False),
    }
    exec(compile(tree, source, "exec"), space)  # noqa: S102 - the pinned wheel's own text
    return space


def evaluation(data: bytes) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """The crop as the six networks' evaluation configuration makes it, and the decoded width and height."""
    ops = _operators()
    decoded = ops["DecodeImage"](to_rgb=True, channel_first=False)(data)
    resized = ops["ResizeImage"](resize_short=256, interpolation="bicubic", backend="pil")(decoded)
    return ops["CropImage"](size=224)(resized), (decoded.shape[1], decoded.shape[0])
