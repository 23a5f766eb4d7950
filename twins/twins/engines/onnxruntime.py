"""ONNX Runtime: on a GPU where its CUDA provider is there, else on every core of the CPU."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from twins.engines import Images, Prediction
from twins.engines.cores import available_cores
from twins.engines.precision import require_precision

CPU_BATCH, CUDA_BATCH = 1, 64
OUTPUTS = ("logits", "features")


def load(model: Path, *, precision: str, batch_size: int | None) -> "OnnxRuntimeEngine":
    """Open ``model`` (a folder of ``twins.export``) in FP32.

    Raises:
        RequestError: another precision.
    """
    require_precision("onnxruntime", precision, ("fp32",))
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        # TF32 rounds to ten bits: that would not be FP32.
        providers = [("CUDAExecutionProvider", {"use_tf32": 0}), "CPUExecutionProvider"]
        return OnnxRuntimeEngine(model, providers, batch_size or CUDA_BATCH, calls=1)
    return OnnxRuntimeEngine(model, ["CPUExecutionProvider"], batch_size or CPU_BATCH, calls=available_cores())


class OnnxRuntimeEngine:
    """One session that ``calls`` threads run at once, each call on its own thread alone.

    The last call of a run is padded: every image meets the same kernels, whoever its neighbours are.
    """

    def __init__(self, model: Path, providers: list[Any], batch: int, calls: int) -> None:
        self._session = onnxruntime.InferenceSession(model / "model.onnx", _options(batch), providers)
        self._batch = self._session.get_inputs()[0].shape[0]
        self._threads = ThreadPoolExecutor(calls, thread_name_prefix="onnxruntime")

    def run(self, images: Images) -> Prediction:
        starts = range(0, len(images), self._batch)
        calls = list(self._threads.map(self._call(images), starts))
        logits, features = (np.concatenate(rows)[: len(images)] for rows in zip(*calls, strict=True))
        return Prediction(logits, features)

    def close(self) -> None:
        self._threads.shutdown()
        del self._session

    def _call(self, images: Images) -> Callable[[int], Any]:
        def call(start: int) -> Any:
            batch = images[start : start + self._batch]
            missing = self._batch - len(batch)
            padded = np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else batch
            return self._session.run(OUTPUTS, {"images": padded})

        return call


def _options(batch: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_free_dimension_override_by_name("N", batch)
    return options
