"""Whether Paddle has a GPU to run on."""

from twins.engines import INSTALL_GPU
from twins.errors import RequestError
from twins.paddlepaddle import paddle


def require_gpu(backend: str) -> None:
    """Raise unless Paddle was built for CUDA and sees a GPU.

    Raises:
        RequestError: no such Paddle, or no such GPU.
    """
    if not paddle.is_compiled_with_cuda():
        raise RequestError("engine.backend", backend, "needs Paddle built for CUDA", INSTALL_GPU)
    if paddle.device.cuda.device_count() == 0:
        raise RequestError(
            "engine.backend", backend, "needs a GPU, and none is visible here", "Ask for one in spec.gpu, or use auto."
        )
