"""Engines: one small protocol, one file an engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
"""``[n, 224, 224, 3]``, RGB, before normalisation: what ``twins.preprocess.crop`` gives, stacked."""


@dataclass(frozen=True)
class Prediction:
    """What a network says of ``n`` images."""

    logits: npt.NDArray[np.float32]
    """``[n, classes]``"""
    features: npt.NDArray[np.float32]
    """``[n, width]``, the pooled tokens before the classifier: the embedding."""


class Engine(Protocol):
    """A network, loaded, on a device."""

    def run(self, images: Images) -> Prediction:
        """Predict, in order. Any ``n``: the engine splits it into the calls that suit the device."""
        ...

    def close(self) -> None: ...


class Loader(Protocol):
    """How each engine's module opens an exported model (``twins.export``)."""

    def __call__(self, model: Path, *, precision: str, batch_size: int | None) -> Engine: ...
