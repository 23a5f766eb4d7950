"""The geometry of the report's charts."""

import pytest

from twins_worker import charts
from twins_worker.charts import Share


def heights(chart: charts.RateChart) -> list[float]:
    """Images a second in each step, read off the drawn line."""
    corners = [float(point.split(",")[1]) for point in chart.line.split()]
    assert corners[::2] == corners[1::2]
    return [(100 - y) / 100 * chart.top for y in corners[::2]]


def test_images_are_spread_over_the_time_they_took() -> None:
    chart = charts.rate_chart([(1000.0, 1072.0, 720), (1036.0, 1072.0, 720)])
    assert chart is not None
    assert heights(chart) == pytest.approx([10.0] * 36 + [30.0] * 36, rel=1e-3)
    assert (chart.seconds, chart.mean, chart.top) == (72.0, 20.0, 30.0)
    assert chart.mean_y == pytest.approx(100 / 3)


def test_no_image_is_lost_whatever_the_edges() -> None:
    intervals = [(1000 + 7.3 * at, 1000 + 7.3 * at + 1.7 + at, 100 + at) for at in range(40)]
    chart = charts.rate_chart(intervals)
    assert chart is not None
    drawn = sum(heights(chart)) * chart.seconds / charts.STEPS
    assert drawn == pytest.approx(sum(images for _, _, images in intervals), rel=1e-3)


@pytest.mark.parametrize("intervals", [[], [(0.0, 0.0, 5)], [(1000.0, 1000.0, 5)], [(0.0, 1000.0, 5)]])
def test_without_known_times_there_is_no_chart(intervals: list[charts.Interval]) -> None:
    assert charts.rate_chart(intervals) is None


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [
        (0.004, (0, 0.001, 0.002, 0.003)),
        (72.0, (0, 15, 30, 45, 60)),
        (4740.0, (0, 900, 1800, 2700, 3600, 4500)),
        (1e6, (0, 172800, 345600, 518400, 691200, 864000)),
    ],
)
def test_ticks_are_round_times(seconds: float, ticks: tuple[float, ...]) -> None:
    chart = charts.rate_chart([(1000.0, 1000.0 + seconds, 1000)])
    assert chart is not None
    assert chart.ticks == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("value", "top"),
    [(0.0, 1.0), (0.7, 0.8), (1.0, 1.0), (1.01, 1.2), (99.0, 100.0), (1194.0, 1200.0), (8901.0, 10_000.0)],
)
def test_a_scale_ends_at_a_round_number(value: float, top: float) -> None:
    assert charts.round_up(value) == pytest.approx(top)


def test_shares_follow_one_another_and_fill_the_whole() -> None:
    assert charts.shares([("fetch", 1.0), ("infer", 3.0)]) == (
        Share("fetch", 1.0, 0.0, 25.0),
        Share("infer", 3.0, 25.0, 75.0),
    )
    assert charts.shares([("fetch", 0.0)]) == (Share("fetch", 0.0, 0.0, 0.0),)
