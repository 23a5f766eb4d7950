"""What goes into the engine together, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from twins.engines import Images
from twins_worker.failures import Failure
from twins_worker.fetch import Row
from twins_worker.ranking import ClassIds, Scores

SIDE = 224
IMAGE_BYTES = SIDE * SIDE * 3


@dataclass(eq=False)
class Batch:
    """``n`` consecutive rows of one part: a form that the threads fill in, each image by one of them at a time.

    Its rows follow from the plan alone, so that what the engine is asked, and answers, does too, whatever ran before.
    """

    part: int
    rows: Sequence[Row]
    last: bool
    """Whether it ends the part."""

    def __post_init__(self) -> None:
        count = len(self.rows)
        self.images: Images = np.empty((count, SIDE, SIDE, 3), np.uint8)
        """``[n, 224, 224, 3]``. Not touched, so not taken from memory, before the first image is decoded."""
        self.sizes: npt.NDArray[np.int32] = np.zeros((count, 2), np.int32)
        """``[n, 2]``: width and height, as decoded."""
        self.failures: list[Failure | None] = [None] * count
        self.fetched_bytes: npt.NDArray[np.int64] = np.full(count, -1, np.int64)
        """``[n]``; -1 where nothing was fetched."""
        self.seconds: npt.NDArray[np.float64] = np.zeros((count, 4))
        """``[n, 4]``: fetching by the clock and in CPU time, then decoding."""

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """``[n]``: which have a picture."""
        return are_good(self.failures)

    @property
    def pictures(self) -> Images:
        """The good images, ``[good, 224, 224, 3]``."""
        good = self.good
        return self.images if good.all() else self.images[good]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of ``n`` images, in the plan's order, ``good`` of which have a picture."""

    failures: Sequence[Failure | None]
    sizes: npt.NDArray[np.int32]
    """``[n, 2]``"""
    fetched_bytes: npt.NDArray[np.int64]
    """``[n]``"""
    seconds: npt.NDArray[np.float64]
    """``[n, 4]``, all three as in ``Batch``."""
    class_ids: ClassIds
    """``[good, k]``"""
    scores: Scores
    """``[good, k]``"""
    features: npt.NDArray[np.float32]
    """``[good, width]``"""
    infer_seconds: float
    waited_seconds: float
    """How long the engine had had nothing to do."""

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        return are_good(self.failures)


def are_good(failures: Sequence[Failure | None]) -> npt.NDArray[np.bool_]:
    return np.array([failure is None for failure in failures], np.bool_)


def joined(outcomes: Sequence[Outcomes]) -> Outcomes:
    """One after the other."""
    return Outcomes(
        failures=tuple(chain.from_iterable(each.failures for each in outcomes)),
        sizes=np.concatenate([each.sizes for each in outcomes]),
        fetched_bytes=np.concatenate([each.fetched_bytes for each in outcomes]),
        seconds=np.concatenate([each.seconds for each in outcomes]),
        class_ids=np.concatenate([each.class_ids for each in outcomes]),
        scores=np.concatenate([each.scores for each in outcomes]),
        features=np.concatenate([each.features for each in outcomes]),
        infer_seconds=sum(each.infer_seconds for each in outcomes),
        waited_seconds=sum(each.waited_seconds for each in outcomes),
    )
