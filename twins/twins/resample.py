"""Pillow's bicubic resize, as small matrix products: the same bytes in less time, and only those of the crop.

Pillow resizes along rows first and along columns second, rounds to bytes in between, and weighs in fixed point. An
output pixel depends on a few neighbours only, so eight neighbouring outputs are a small dense matrix times their
sources. In float64 these products and sums are exact, in whatever order and with whatever instructions a BLAS takes
them: a weight has 22 bits after the point, a pixel 8, and a sum stays below 2**10.

This is Pillow up to 12, with which the networks' accuracy was published. 13 takes columns first where a picture is
more than twice as tall as wide, which moves one value in seven by a level or two.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from twins.opencv import cv2

Pixels = npt.NDArray[np.uint8]
"""``[height, width, 3]``, RGB."""
Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

ONE = 2**22
"""One in Pillow's fixed point (32 bits, less 8 of a pixel, less 2 for the overshoot of a kernel)."""
BLOCK = 8
"""Outputs a matrix: with more, more zeros are multiplied; with fewer, there are more calls."""
PRODUCT = 2**18
"""Most multiply-adds a product: so small ones, OpenBLAS does in the thread that calls. A pipeline has its own."""


@dataclass(frozen=True)
class Block:
    """The outputs from ``at`` on, as ``matrix`` (``[outputs, sources]``) times the sources from ``first`` on."""

    at: int
    first: int
    matrix: Numbers

    @property
    def last(self) -> int:
        return self.first + len(self.matrix.T)


def resized_centre(whole: Pixels, size: tuple[int, int], crop: int) -> Pixels:
    """The centre ``[crop, crop, 3]`` of ``whole`` (``[height, width, 3]``) resized to ``size`` (width, height)."""
    height, width = whole.shape[:2]
    columns, rows = _blocks(width, size[0], crop), _blocks(height, size[1], crop)
    seen = whole[rows[0].first : rows[-1].last, columns[0].first : columns[-1].last]
    narrow = np.empty((len(seen), crop, 3), np.uint8)
    step = max(1, _widest(columns) // 3)
    for top in range(0, len(seen), step):
        strip = _blend(cv2.transpose(seen[top : top + step]), columns, crop)
        narrow[top : top + step] = cv2.transpose(strip)
    return _blend(narrow, rows, crop)


def _blend(source: Pixels, blocks: Sequence[Block], length: int) -> Pixels:
    """``[length, n, 3]``: the outputs of ``blocks`` along the first axis of ``source``, ``[sources, n, 3]``."""
    flat = source.reshape(len(source), -1)
    blended, step = np.empty((length, flat.shape[1]), np.uint8), _widest(blocks)
    for left in range(0, flat.shape[1], step):
        part = flat[:, left : left + step]
        numbers, sums = _ROOM.take(part.shape, (length, part.shape[1]))
        np.copyto(numbers, part)
        _sum_up(numbers, blocks, sums)
        np.copyto(blended[:, left : left + step], _rounded(sums), casting="unsafe")
    return blended.reshape(length, -1, 3)


def _sum_up(numbers: Numbers, blocks: Sequence[Block], sums: Numbers) -> None:
    start = blocks[0].first
    for block in blocks:
        outputs = sums[block.at : block.at + len(block.matrix)]
        np.matmul(block.matrix, numbers[block.first - start : block.last - start], out=outputs)


def _rounded(sums: Numbers) -> Numbers:
    """In place: half up and within a byte, once what is after the point is cut off."""
    np.add(sums, 0.5, out=sums)
    return np.clip(sums, 0, 255, out=sums)


class _Room(threading.local):
    """Memory of each thread's own, kept: taking megabytes anew for each picture costs more than the arithmetic."""

    def __init__(self) -> None:
        self.numbers = np.empty(0)

    def take(self, *shapes: tuple[int, ...]) -> list[Numbers]:
        """Arrays of these shapes, valid until the next call."""
        ends = list(accumulate(map(math.prod, shapes)))
        if len(self.numbers) < ends[-1]:
            self.numbers = np.empty(ends[-1])
        return [part.reshape(shape) for part, shape in zip(np.split(self.numbers, ends), shapes, strict=False)]


_ROOM = _Room()


def _widest(blocks: Sequence[Block]) -> int:
    """How many columns a product with any of these matrices may have."""
    return max(3, PRODUCT // max(block.matrix.size for block in blocks))


@lru_cache(maxsize=64)
def _blocks(length: int, resized: int, crop: int) -> tuple[Block, ...]:
    """The middle ``crop`` of ``resized`` outputs over ``length`` sources, in order."""
    offset = (resized - crop) // 2
    first, weights = _kernels(length, resized, np.arange(offset, offset + crop))
    starts = first[::BLOCK]
    shifts = first - np.repeat(starts, BLOCK)[:crop]
    banded = np.zeros((crop, int(shifts.max()) + weights.shape[1]))
    np.put_along_axis(banded, shifts[:, None] + np.arange(weights.shape[1]), weights, axis=1)
    return tuple(
        Block(at, int(start), np.ascontiguousarray(banded[at : at + BLOCK, : length - start]))
        for at, start in zip(range(0, crop, BLOCK), starts, strict=True)
    )


def _kernels(length: int, resized: int, outputs: Indices) -> tuple[Indices, Numbers]:
    """For each output its first source, and the weights of that and the next ones: Pillow's, to the bit."""
    scale = length / resized
    stretch = max(scale, 1.0)
    centres = (outputs + 0.5) * scale
    first = np.maximum((centres - 2 * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + 2 * stretch + 0.5).astype(np.int64), length)
    sources = first[:, None] + np.arange(int((last - first).max()))
    weights = _bicubic((sources - centres[:, None] + 0.5) * (1 / stretch))
    weights[sources >= last[:, None]] = 0
    return first, _fixed(weights / weights.sum(axis=1, keepdims=True))


def _bicubic(x: Numbers) -> Numbers:
    """The kernel of Keys (1981) with a = -1/2: it reaches two pixels."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((x - 5) * x + 8) * x * -0.5 + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _fixed(weights: Numbers) -> Numbers:
    """Rounded to fixed point, half away from zero."""
    fixed: Numbers = np.trunc(weights * ONE + np.copysign(0.5, weights)) / ONE
    return fixed
