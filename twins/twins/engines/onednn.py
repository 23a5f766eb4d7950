"""Paddle Inference on a CPU with oneDNN's kernels."""

from pathlib import Path
from typing import Any

from twins.engines.cores import available_cores
from twins.engines.paddle_inference import PaddleEngine
from twins.engines.precision import require_precision

DEFAULT_BATCH = 4
"""Images a call: more leave the second-level cache."""

RESHAPE_FUSION = "operator_reshape_onednn_fuse_pass"
"""Paddle 3.3.1 lets an operator swallow the reshape that follows, and in bf16 then infers the next shape without it."""


def load(model: Path, *, precision: str, batch_size: int | None) -> PaddleEngine:
    """Open ``model`` (a folder of ``twins.export``) in FP32 or bf16.

    Raises:
        RequestError: another precision.
    """
    require_precision("onednn", precision, ("fp32", "bf16"))

    def configure(config: Any) -> None:
        config.disable_gpu()
        config.enable_onednn()
        config.delete_pass(RESHAPE_FUSION)
        config.set_cpu_math_library_num_threads(available_cores())
        if precision == "bf16":
            config.enable_onednn_bfloat16()

    return PaddleEngine(model / "model", configure, batch_size or DEFAULT_BATCH)
