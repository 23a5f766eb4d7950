"""Paddle Inference on a GPU with CUDA kernels."""

from pathlib import Path
from typing import Any

from twins.engines.gpu import require_gpu
from twins.engines.paddle_inference import PaddleEngine
from twins.engines.precision import require_precision
from twins.paddlepaddle import inference

DEFAULT_BATCH = 64
MEMORY_POOL_MIB = 1024
"""What Paddle takes of the GPU's memory at the start; it grows from there."""


def load(model: Path, *, precision: str, batch_size: int | None) -> PaddleEngine:
    """Open ``model`` (a folder of ``twins.export``) on the first visible GPU in FP32 or FP16.

    Raises:
        RequestError: no Paddle for CUDA, no GPU, or another precision.
    """
    require_precision("cuda", precision, ("fp32", "fp16"))
    require_gpu("cuda")

    def configure(config: Any) -> None:
        kernels = inference.PrecisionType.Half if precision == "fp16" else inference.PrecisionType.Float32
        config.enable_use_gpu(MEMORY_POOL_MIB, 0, kernels)

    return PaddleEngine(model / "model", configure, batch_size or DEFAULT_BATCH)
