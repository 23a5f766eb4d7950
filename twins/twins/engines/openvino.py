"""OpenVINO on a CPU: the ONNX graph in as many streams as there are cores, a few images a call."""

from pathlib import Path
from typing import Any

import numpy as np
from openvino import AsyncInferQueue, Core, Model

from twins.engines import Images, Prediction
from twins.engines.cores import available_cores
from twins.engines.openvino_graph import prefer_onednn
from twins.engines.precision import require_precision
from twins.errors import RequestError

MICRO_BATCH = {"fp32": 1, "bf16": 4, "int8": 4}
"""Images a call. Activations of more leave a core's second-level cache."""

INT8_GRAPH = "model_int8.xml"
"""What ``twins.quantise`` leaves beside ``model.onnx``."""


def load(model: Path, *, precision: str, batch_size: int | None) -> "OpenVinoEngine":
    """Open ``model`` (a folder of ``twins.export``) in FP32, bf16 or, where it was calibrated, int8.

    Raises:
        RequestError: a precision that this processor or this model lacks.
    """
    require_precision("openvino", precision, tuple(MICRO_BATCH))
    core = Core()
    arithmetic = _arithmetic(core, precision)
    graph = _read(core, model, precision)
    shape = graph.input().get_partial_shape()
    shape[0] = batch_size or MICRO_BATCH[precision]
    graph.reshape(shape)
    if precision == "fp32":
        prefer_onednn(graph)
    return OpenVinoEngine(core, graph, arithmetic)


class OpenVinoEngine:
    """A compiled graph of one static shape, with one request in flight a stream.

    The last call of a run is padded: every image meets the same kernels, whoever its neighbours are.
    """

    def __init__(self, core: Core, graph: Model, arithmetic: str) -> None:
        streams = available_cores()
        compiled = core.compile_model(graph, "CPU", _settings(streams, arithmetic))
        self._batch, *_ = compiled.input().shape
        self._widths = {name: compiled.output(name).shape[1] for name in ("logits", "features")}
        self._queue = AsyncInferQueue(compiled, streams)
        self._queue.set_callback(_keep)

    def run(self, images: Images) -> Prediction:
        missing = -len(images) % self._batch
        padded = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else images
        outputs = {name: np.empty((len(padded), width), np.float32) for name, width in self._widths.items()}
        for start in range(0, len(padded), self._batch):
            rows = slice(start, start + self._batch)
            self._queue.start_async({0: padded[rows]}, {name: array[rows] for name, array in outputs.items()})
        self._queue.wait_all()
        return Prediction(**{name: array[: len(images)] for name, array in outputs.items()})

    def close(self) -> None:
        del self._queue


def _keep(request: Any, outputs: dict[str, Any]) -> None:
    for name, rows in outputs.items():
        rows[:] = request.get_tensor(name).data


def _settings(streams: int, arithmetic: str) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams,
        # Unsaid, OpenVINO computes in bf16 wherever the processor can.
        "INFERENCE_PRECISION_HINT": arithmetic,
        # Pinned, the streams of two processes share the first cores and leave the others idle.
        "ENABLE_CPU_PINNING": False,
    }


def _arithmetic(core: Core, precision: str) -> str:
    """What the layers that are not int8 are computed in."""
    has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and not has_bf16:
        raise RequestError(
            "engine.precision", precision, "needs a processor with bf16 instructions, and this has none", "Use fp32."
        )
    return "f32" if precision == "fp32" or not has_bf16 else "bf16"


def _read(core: Core, model: Path, precision: str) -> Model:
    file = model / (INT8_GRAPH if precision == "int8" else "model.onnx")
    if precision == "int8" and not file.is_file():
        raise RequestError(
            "engine.precision", precision, f"needs {INT8_GRAPH} beside the model", "Calibrate it: twins.quantise."
        )
    return core.read_model(file)
