"""Paddle Inference on a GPU with TensorRT: compiled once a GPU, then opened as often as there are workers.

Written against Paddle 3.3's ``paddle.tensorrt.convert`` and its source. Paddle writes the program where it is told, and
the TensorRT engines to ``~/.pp_trt_cache``, by whose absolute path the program names them. So compiling runs in a
process whose home is the model's own folder: engines travel with the model, to workers that keep it at the same path.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twins.engines.gpu import require_gpu
from twins.engines.paddle_inference import PaddleEngine
from twins.engines.precision import require_precision
from twins.paddlepaddle import inference, paddle

# isort: split
from paddle.tensorrt.export import Input, PrecisionMode, TensorRTConfig

DEFAULT_BATCH = 64
MEMORY_POOL_MIB = 1024
WORKSPACE_BYTES = 4 << 30


def load(model: Path, *, precision: str, batch_size: int | None) -> PaddleEngine:
    """Open the compiled engine of ``model``, compiling it first where there is none for this GPU and this place.

    Raises:
        RequestError: no Paddle for CUDA with TensorRT, no GPU, or a precision other than FP32 and FP16.
    """
    require_precision("tensorrt", precision, ("fp32", "fp16"))
    require_gpu("tensorrt")
    compiled, batch_size = model / compiled_name(precision, batch_size), batch_size or DEFAULT_BATCH
    with _held(compiled.with_suffix(".lock")):
        if not _was_compiled_at(compiled):
            _compile(model, compiled, precision, batch_size)
    return PaddleEngine(compiled / "program", lambda config: config.enable_use_gpu(MEMORY_POOL_MIB, 0), batch_size)


def compiled_name(precision: str, batch_size: int | None) -> str:
    """The folder, below the model's, of an engine for this GPU: it is good for this kind of GPU and these versions."""
    require_gpu("tensorrt")
    gpu = paddle.device.cuda.get_device_properties(0)
    versions = (paddle.__version__, inference.get_trt_runtime_version())
    depends = (gpu.name, gpu.major, gpu.minor, versions, precision, batch_size or DEFAULT_BATCH)
    return f"tensorrt-{hashlib.sha256(repr(depends).encode()).hexdigest()[:16]}"


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    """One process a machine compiles; the others wait for it."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _was_compiled_at(compiled: Path) -> bool:
    marker = compiled / "compiled_at"
    return marker.exists() and marker.read_text() == str(compiled)


def _compile(model: Path, compiled: Path, precision: str, batch_size: int) -> None:
    compiled.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "twins.engines.tensorrt", str(model), str(compiled), precision, str(batch_size)]
    subprocess.run(command, check=True, env={**os.environ, "HOME": str(compiled)})  # noqa: S603  # our own module
    (compiled / "compiled_at").write_text(str(compiled))


def _convert(model: Path, compiled: Path, precision: str, batch_size: int) -> None:
    config = TensorRTConfig(
        inputs=[_shape_profile(batch_size)],
        precision_mode=PrecisionMode.FP16 if precision == "fp16" else PrecisionMode.FP32,
        save_model_dir=str(compiled / "program"),
        optimization_level=5,
        workspace_size=WORKSPACE_BYTES,
    )
    paddle.tensorrt.convert(str(model / "model"), config)


def _shape_profile(batch_size: int) -> Any:
    return Input(
        min_input_shape=(1, 224, 224, 3),
        optim_input_shape=(batch_size, 224, 224, 3),
        max_input_shape=(batch_size, 224, 224, 3),
        input_data_type="uint8",
        input_range=(0, 256),
        name="images",
    )


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
