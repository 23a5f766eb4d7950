"""Small pictures of strangers' files, fit to be put into a page: decoded within limits and encoded anew."""

import numpy as np

from twins import preprocess
from twins.opencv import cv2

LONG_SIDE = 320
MAX_PIXELS = 50_000_000
JPEG_QUALITY = 80


def thumbnail(data: bytes) -> bytes | None:
    """A JPEG of at most ``LONG_SIDE`` pixels a side; ``None`` where there is nothing to be seen.

    A JPEG that was cut short shows what there is of it, above grey: here that is what a person wants to see.
    """
    pixels = _pixels(data)
    if pixels is None and data.startswith(b"\xff\xd8\xff"):
        pixels = _pixels(data + b"\xff\xd9")
    return None if pixels is None else _encoded(pixels)


def _pixels(data: bytes) -> preprocess.Pixels | None:
    try:
        return preprocess.decode(data, max_pixels=MAX_PIXELS)
    except preprocess.Undecodable:
        return None


def _encoded(pixels: preprocess.Pixels) -> bytes:
    height, width = pixels.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, file = cv2.imencode(".jpg", np.ascontiguousarray(small[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(file)
