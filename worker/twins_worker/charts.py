"""The geometry of the report's charts: pure, in the units of the drawing. The template only draws it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Interval = tuple[float, float, int]
"""When something was done (start and end in seconds) and to how many images."""

STEPS = 72
"""Columns of the rate chart."""
_MINUTE, _HOUR = 60, 3600
TICK_SECONDS = (
    *(0.001 * each for each in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(1, 2, 5, 10, 15, 30),
    *(_MINUTE * each for each in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * each for each in (1, 2, 3, 6, 12, 24, 48)),
)


@dataclass(frozen=True)
class RateChart:
    """Images a second over time, in a drawing 100 wide and 100 high with its origin at the top left."""

    line: str
    area: str
    mean_y: float
    mean: float
    top: float
    """The rate at the upper edge: a round number."""
    seconds: float
    """The time at the right edge, from the first start."""

    @property
    def ticks(self) -> tuple[float, ...]:
        """Round times to write below it, from 0, in seconds; the last leaves room for its own text."""
        step = next((each for each in TICK_SECONDS if 7 * each > self.seconds), self.seconds / 5)
        return tuple(step * tick for tick in range(math.floor(0.98 * self.seconds / step) + 1))


def rate_chart(intervals: Iterable[Interval]) -> RateChart | None:
    """The rate over time, each interval's images spread evenly over it; ``None`` without any elapsed time."""
    known = [each for each in intervals if each[1] > each[0] > 0]
    if not known:
        return None
    first, last = min(start for start, _, _ in known), max(end for _, end, _ in known)
    rates = _rates(known, first, (last - first) / STEPS)
    mean = sum(images for _, _, images in known) / (last - first)
    top = round_up(max(rates))
    heights = [100 - 100 * rate / top for rate in rates]
    points = " ".join(f"{x:.2f},{y:.2f}" for x, y in _stairs(heights))
    return RateChart(points, f"0,100 {points} 100,100", 100 - 100 * mean / top, mean, top, last - first)


def _rates(intervals: Sequence[Interval], first: float, step: float) -> list[float]:
    """Images a second in each of ``STEPS`` steps."""
    images = [0.0] * STEPS
    for start, end, count in intervals:
        edges = [start, *(first + step * at for at in _between(start, end, first, step)), end]
        for left, right in pairwise(edges):
            column = min(int(((left + right) / 2 - first) / step), STEPS - 1)
            images[column] += count * (right - left) / (end - start)
    return [each / step for each in images]


def _between(start: float, end: float, first: float, step: float) -> range:
    """The edges of steps that lie within ``(start, end)``."""
    return range(math.floor((start - first) / step) + 1, math.ceil((end - first) / step))


def _stairs(heights: Sequence[float]) -> Iterable[tuple[float, float]]:
    width = 100 / len(heights)
    for column, height in enumerate(heights):
        yield column * width, height
        yield (column + 1) * width, height


def round_up(value: float) -> float:
    """The next number of one digit and a half: a scale's upper edge."""
    power = float(10 ** math.floor(math.log10(value))) if value > 0 else 1.0
    return next(
        factor * power for factor in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if value <= factor * power * (1 + 1e-9)
    )


@dataclass(frozen=True)
class Share:
    """A part of a whole: where it starts and how wide it is, in percent."""

    name: str
    amount: float
    start: float
    width: float


def shares(amounts: Iterable[tuple[str, float]]) -> tuple[Share, ...]:
    """Each of ``amounts`` as a share of their sum, one after the other."""
    given = [(name, max(amount, 0.0)) for name, amount in amounts]
    whole, start, result = sum(amount for _, amount in given) or 1.0, 0.0, []
    for name, amount in given:
        result.append(Share(name, amount, start, 100 * amount / whole))
        start += 100 * amount / whole
    return tuple(result)
