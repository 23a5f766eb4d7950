"""Paddle Inference: the predictor that the oneDNN, CUDA and TensorRT engines share.

Source: Paddle Inference's Python API (``paddle.inference.Config``, ``create_predictor``), Paddle 3.x with PIR programs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from twins.engines import Images, Prediction
from twins.paddlepaddle import inference

Configure = Callable[[Any], None]
"""Sets what one engine needs on a ``paddle.inference.Config``."""


class PaddleEngine:
    """A program of ``twins.export`` in one predictor; ``batch_size`` images a call.

    The last call of a run is padded, so that every call has one shape and a row never meets a new kernel.
    """

    def __init__(self, program: Path, configure: Configure, batch_size: int) -> None:
        self._predictor = _predictor(program, configure)
        self._batch_size = batch_size
        (name,) = self._predictor.get_input_names()
        self._input = self._predictor.get_input_handle(name)
        self._outputs = [self._predictor.get_output_handle(name) for name in self._predictor.get_output_names()]

    def run(self, images: Images) -> Prediction:
        logits, features = zip(*(self._call(batch) for batch in self._batches(images)), strict=True)
        return Prediction(np.concatenate(logits)[: len(images)], np.concatenate(features)[: len(images)])

    def close(self) -> None:
        del self._predictor, self._input, self._outputs

    def _batches(self, images: Images) -> Iterator[Images]:
        for start in range(0, len(images), self._batch_size):
            batch = images[start : start + self._batch_size]
            missing = self._batch_size - len(batch)
            yield np.pad(batch, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else batch

    def _call(self, batch: Images) -> tuple[Any, Any]:
        self._input.copy_from_cpu(np.ascontiguousarray(batch))
        self._predictor.run()
        logits, features = (output.copy_to_cpu() for output in self._outputs)
        return logits, features


def _predictor(program: Path, configure: Configure) -> Any:
    config = inference.Config(str(program.with_suffix(".json")), str(program.with_suffix(".pdiparams")))
    config.enable_new_ir(True)
    config.enable_new_executor(True)
    config.disable_glog_info()
    configure(config)
    return inference.create_predictor(config)
