"""How many images make a shard and a part."""

import pytest

from twins.errors import RequestError
from twins_worker import plan


@pytest.mark.parametrize(
    ("images", "asked", "gpu", "expected"),
    [
        pytest.param(7, None, False, (7, 7), id="never more than there are"),
        pytest.param(50_000, None, False, (8_192, 1_024), id="minutes of a CPU's work"),
        pytest.param(5_000_000, None, True, (131_072, 16_384), id="minutes of a GPU's work"),
        pytest.param(20_000_000, None, False, (10_240, 1_024), id="at most 2,000 shards, of whole parts"),
        pytest.param(50_000, 100, False, (100, 100), id="as asked, with parts no larger"),
        pytest.param(50_000, 25, False, (25, 25), id="as many as there may be"),
    ],
)
def test_sizes(images: int, asked: int | None, gpu: bool, expected: tuple[int, int]) -> None:
    assert plan.sizes(images, asked, gpu=gpu) == expected
    assert -(-images // expected[0]) <= plan.MAX_SHARDS


def test_too_many_shards_are_refused_with_what_would_do() -> None:
    with pytest.raises(RequestError, match=r"imagesPerShard: '24' .* Ask for 25 or more, or for auto"):
        plan.sizes(50_000, 24, gpu=False)


def test_shards_that_are_cut_differently_have_another_name() -> None:
    """So that planners of two versions never mix their shards."""
    names = {plan.name("job", "rows", *cut) for cut in [(10, 10), (10, 5), (100, 10)]}
    assert len(names) == 3
    assert all(len(each) == 16 for each in names)
