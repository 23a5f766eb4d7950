"""Which engine ``auto`` takes."""

from collections.abc import Mapping

import pytest

from twins_worker import choose


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        pytest.param({"openvino": 31.0, "onnxruntime": 27.0, "onednn": 22.0}, "openvino", id="the fastest"),
        pytest.param({"openvino": 30.0, "onednn": 31.0}, "openvino", id="the preferred one when it is as good as that"),
        pytest.param({"openvino": 10.0, "onednn": 31.0}, "onednn", id="another when it is clearly faster"),
        pytest.param({"cuda": 900.0, "openvino": 31.0}, "cuda", id="a GPU's"),
        pytest.param({"onednn": 1.0}, "onednn", id="the only one"),
    ],
)
def test_the_engine_that_is_taken(rates: Mapping[str, float], expected: str) -> None:
    assert choose.fastest(rates) == expected
