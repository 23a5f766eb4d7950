"""From logits to the best classes and their scores."""

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
ClassIds = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float32]


def best(logits: Logits, k: int) -> tuple[ClassIds, Scores]:
    """The ``k`` best classes of each image and their softmax, both ``[n, k]``, best first; of equals the lower id.

    ``logits`` is ``[n, classes]`` with ``k`` at most ``classes``. What one image gets depends on its own logits only.
    """
    ids = _best_ids(logits, k)
    highest = logits.max(axis=1, keepdims=True)
    total = np.exp(logits - highest).sum(axis=1, keepdims=True, dtype=np.float32)
    scores = np.exp(np.take_along_axis(logits, ids, axis=1) - highest) / total
    return ids.astype(np.int32), scores


def _best_ids(logits: Logits, k: int) -> npt.NDArray[np.intp]:
    classes = logits.shape[1]
    ids = np.sort(np.argpartition(logits, classes - k, axis=1)[:, classes - k :], axis=1)
    values = np.take_along_axis(logits, ids, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    ids = np.take_along_axis(ids, order, axis=1)
    tied = (logits >= values.min(axis=1, keepdims=True)).sum(axis=1) > k  # equals left out: which ones was chance
    ids[tied] = np.argsort(-logits[tied], axis=1, kind="stable")[:, :k]
    return ids
