"""What ours is measured against: PaddleClas' network as it exports, on each engine as its guide tells, batch 16.

Their input is normalised beforehand, and not paid for; ours is normalised in the graph.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import openvino
import paddle
import paddle2onnx
import paddleclas_model
from paddle import inference

from twins.engines.cores import available_cores

BATCH = 16
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
Run = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""Images, uint8 ``[n, 224, 224, 3]`` with ``n`` a multiple of the batch, to logits."""


def export(name: str, seed: int, folder: Path) -> None:
    """Write PaddleClas' network with random weights, its batch free, and what the converter makes of it by default."""
    network = paddleclas_model.build(name)
    network.set_state_dict(paddleclas_model.random_weights(network, seed))
    images = paddle.static.InputSpec([None, 3, 224, 224], "float32", "x")
    paddle.jit.save(paddle.jit.to_static(network, input_spec=[images], full_graph=True), str(folder / "model"))
    graph = paddle2onnx.export(str(folder / "model.json"), str(folder / "model.pdiparams"))
    (folder / "model.onnx").write_bytes(graph)


@cache
def _normalised(images: bytes, count: int) -> list[npt.NDArray[np.float32]]:
    pixels = np.frombuffer(images, np.uint8).reshape(count, 224, 224, 3)
    planes = np.ascontiguousarray(((pixels / np.float32(255) - MEAN) / STD).transpose(0, 3, 1, 2))
    return [planes[start : start + BATCH] for start in range(0, count, BATCH)]


def _batches(images: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
    return _normalised(images.tobytes(), len(images))


def open_openvino(folder: Path) -> Run:
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": available_cores(),
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    core = openvino.Core()
    graph = core.read_model(folder / "model.onnx")
    graph.reshape([BATCH, 3, 224, 224])
    queue = openvino.AsyncInferQueue(core.compile_model(graph, "CPU", settings), available_cores())
    logits: dict[int, npt.NDArray[np.float32]] = {}
    queue.set_callback(lambda request, index: logits.update({index: request.get_output_tensor(0).data.copy()}))

    def run(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        for index, batch in enumerate(_batches(images)):
            queue.start_async({0: batch}, index)
        queue.wait_all()
        return np.concatenate([logits[index] for index in sorted(logits)])

    return run


def open_onnxruntime(folder: Path) -> Run:
    """One session of one thread a core: as fast as one session of all of them, and its threads do not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(folder / "model.onnx", options) for _ in range(available_cores())]
    threads = ThreadPoolExecutor(len(sessions))

    def call(index: int, batch: npt.NDArray[np.float32]) -> Any:
        return sessions[index % len(sessions)].run(None, {"x": batch})[0]

    def run(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        batches = _batches(images)
        return np.concatenate(list(threads.map(call, range(len(batches)), batches)))

    return run


def open_onednn(folder: Path) -> Run:
    config = inference.Config(str(folder / "model.json"), str(folder / "model.pdiparams"))
    config.disable_gpu()
    config.enable_new_ir(True)
    config.enable_new_executor(True)
    config.disable_glog_info()
    config.enable_onednn()
    config.set_cpu_math_library_num_threads(available_cores())
    predictor = inference.create_predictor(config)
    source = predictor.get_input_handle(predictor.get_input_names()[0])
    result = predictor.get_output_handle(predictor.get_output_names()[0])

    def call(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        source.copy_from_cpu(batch)
        predictor.run()
        return np.array(result.copy_to_cpu())

    return lambda images: np.concatenate([call(batch) for batch in _batches(images)])
