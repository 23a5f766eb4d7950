"""The best classes are those of a full, stable sort, and the scores those of a softmax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from twins_worker.ranking import Logits, best

coarse = st.sampled_from([-3.0, -1.0, 0.0, 0.5, 2.0])  # so that many are equal
fine = st.floats(-80, 80, width=32)


def some_logits(elements: st.SearchStrategy[float]) -> st.SearchStrategy[Logits]:
    shape = st.tuples(st.integers(1, 6), st.integers(1, 30))
    return shape.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=elements))


@given(logits=some_logits(coarse | fine), data=st.data())
def test_the_best_are_those_of_a_stable_sort(logits: Logits, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, logits.shape[1]))
    ids, _ = best(logits, k)
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, np.argsort(-logits, axis=1, kind="stable")[:, :k])


@given(logits=some_logits(fine))
def test_scores_are_the_softmax(logits: Logits) -> None:
    ids, scores = best(logits, logits.shape[1])
    wide = logits.astype(np.float64)
    softmax = np.exp(wide - wide.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, np.take_along_axis(softmax, ids, axis=1), rtol=1e-5, atol=1e-30)


@given(logits=some_logits(coarse | fine))
def test_an_image_gets_the_same_alone_and_among_others(logits: Logits) -> None:
    k = min(5, logits.shape[1])
    together = best(logits, k)
    alone = [best(logits[row : row + 1], k) for row in range(len(logits))]
    np.testing.assert_array_equal(together[0], np.concatenate([ids for ids, _ in alone]))
    np.testing.assert_array_equal(together[1], np.concatenate([scores for _, scores in alone]))


@pytest.mark.parametrize("height", [1e4, 3e38])
def test_large_logits_do_not_overflow(height: float) -> None:
    ids, scores = best(np.array([[0.0, height, 0.0]], np.float32), 2)
    assert ids.tolist() == [[1, 0]]
    assert scores.tolist() == [[1.0, 0.0]]
