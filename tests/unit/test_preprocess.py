"""The crop is PaddleClas' evaluation operators' (its wheel's own classes), byte for byte, whatever the file."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from paddleclas_operators import evaluation
from pictures import PHOTOGRAPHS, encoded, files, photograph
from PIL import Image

from twins import preprocess

FILES = files(photograph("chelsea"))


def assert_equal_to_paddleclas(data: bytes) -> None:
    theirs, size = evaluation(data)
    picture = preprocess.read(data)
    np.testing.assert_array_equal(picture.pixels, theirs, strict=True)
    assert (picture.width, picture.height) == size


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in FILES.items()])
def test_the_crop_is_paddleclas_crop(data: bytes) -> None:
    assert_equal_to_paddleclas(data)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_crop_of_a_photograph_as_it_was_shipped(name: str) -> None:
    assert_equal_to_paddleclas(PHOTOGRAPHS[name].read_bytes())


@pytest.mark.parametrize("name", ["chelsea", "flower"])
@pytest.mark.parametrize(
    "size",
    [
        pytest.param((500, 375), id="as in ImageNet"),
        pytest.param((375, 500), id="upright"),
        pytest.param((500, 500), id="square"),
        pytest.param((256, 256), id="of the resize's size"),
        pytest.param((512, 512), id="of twice that"),
        pytest.param((128, 128), id="of half that"),
        pytest.param((1080, 2400), id="of a phone's screen"),
        pytest.param((2400, 1080), id="of a phone's screen on its side"),
        pytest.param((3000, 2000), id="from a camera"),
        pytest.param((257, 255), id="just off the resize's size"),
        pytest.param((3, 700), id="of a thread"),
    ],
)
def test_the_crop_of_a_photograph_of_any_size(name: str, size: tuple[int, int]) -> None:
    assert_equal_to_paddleclas(encoded(photograph(name, size), "BMP"))


@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_crop_of_noise_of_any_size(width: int, height: int, seed: int) -> None:
    assume(max(width, height) < 30 * min(width, height))  # the operators resize all of a panorama
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert_equal_to_paddleclas(encoded(Image.fromarray(noise), "BMP"))
