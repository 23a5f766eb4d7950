"""Figures and names as a person reads them."""

import pytest

from twins_worker import wording


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (wording.count(1_200_000), "1,200,000"),
        (wording.rate(8912.4), "8,912"),
        (wording.rate(89.12), "89.1"),
        (wording.rate(0.891), "0.891"),
        (wording.percent(0), "0 %"),
        (wording.percent(0.0004), "< 0.1 %"),
        (wording.percent(0.41), "41.0 %"),
        (wording.percent(0.9999), "> 99.9 %"),
        (wording.percent(1), "100 %"),
        (wording.duration(0.083), "83 ms"),
        (wording.duration(12.44), "12.4 s"),
        (wording.duration(59.96), "60 s"),
        (wording.duration(243), "4 min 3 s"),
        (wording.duration(240), "4 min"),
        (wording.duration(3599.9), "60 min"),
        (wording.duration(4740), "1 h 19 min"),
        (wording.duration(7200), "2 h"),
        (wording.size(0), "0 bytes"),
        (wording.size(84_300_000_000), "84.3 GB"),
        (wording.size(999_600), "1 MB"),
        (wording.things(1, "image"), "1 image"),
        (wording.things(2000, "image"), "2,000 images"),
        (wording.flops(2.8e9), "2.8 GFLOP"),
        (wording.flops(3.1e15), "3.1 PFLOP"),
        (wording.flops(4e20), "400 EFLOP"),
        (wording.clean("a\0b\u202ec\ud800"), "a\ufffdb\ufffdc\ufffd"),
        (wording.shown("short"), "short"),
    ],
)
def test_wording(said: str, expected: str) -> None:
    assert said == expected


def test_of_a_long_name_both_ends_are_shown() -> None:
    said = wording.shown("s3://bucket/" + "x" * 5000 + "/picture.jpg")
    assert said.startswith("s3://bucket/xxx")
    assert said.endswith("xxx/picture.jpg")
    assert len(said) == wording.LONGEST_NAME + 3
