"""The crop equals PaddleClas' evaluation operators' (its wheel's own classes), whatever the file."""

import numpy as np
import pytest
from paddleclas_operators import evaluation
from pictures import PHOTOGRAPHS, files, photograph

from twins import preprocess

FILES = files(photograph("chelsea"))


def differing(ours: preprocess.Pixels, theirs: preprocess.Pixels) -> tuple[int, float]:
    """The largest difference in levels, and the share of values that differ."""
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    return int(difference.max()), float((difference > 0).mean())


def assert_equal_to_paddleclas(data: bytes) -> None:
    theirs, size = evaluation(data)
    picture = preprocess.read(data)
    largest, share = differing(picture.pixels, theirs)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((224, 224, 3), np.uint8)
    assert (picture.width, picture.height) == size
    assert largest <= 1
    assert share <= 0.001


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in FILES.items()])
def test_the_crop_is_paddleclas_crop(data: bytes) -> None:
    assert_equal_to_paddleclas(data)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_crop_of_a_photograph_as_it_was_shipped(name: str) -> None:
    assert_equal_to_paddleclas(PHOTOGRAPHS[name].read_bytes())
