"""From the bytes of a file to the pixels that a network sees.

The pixels are those of PaddleClas' evaluation operators (DecodeImage, ResizeImage with Pillow's bicubic, CropImage),
within one level on at most 0.1 % of the values. Only the crop is resized. Files are hostile: a header is read and
judged before a decoder allocates, and a file that is cut short gives no picture, never a grey-filled one.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from twins import image_ending, image_header
from twins.image_header import Undecodable
from twins.opencv import MAX_PIXELS, MAX_SIDE, cv2
from twins.registry import Preprocessing

__all__ = ["MAX_PIXELS", "Picture", "Pixels", "Undecodable", "crop", "decode", "read"]

MAX_PASSES = 100
"""Scans of a JPEG. Encoders write about ten; each costs a walk over the picture and takes a dozen bytes to ask for."""

Pixels = npt.NDArray[np.uint8]
"""``[height, width, 3]``, RGB."""
EVALUATION = Preprocessing()
"""Short side to 256, centre crop 224: all six networks."""


@dataclass(frozen=True)
class Picture:
    """What a network sees of a file, and how large the file's picture is."""

    pixels: Pixels
    """``[crop, crop, 3]``, RGB, before normalisation."""
    width: int
    """In pixels, as decoded: orientation applied."""
    height: int


def crop(data: bytes, preprocessing: Preprocessing = EVALUATION, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The pixels that a network sees: ``[224, 224, 3]``, RGB, before normalisation.

    Raises:
        Undecodable: the file gives no picture.
    """
    return read(data, preprocessing, max_pixels=max_pixels).pixels


def read(data: bytes, preprocessing: Preprocessing = EVALUATION, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode and crop.

    Raises:
        Undecodable: the file gives no picture.
    """
    whole = decode(data, max_pixels=max_pixels)
    height, width = whole.shape[:2]
    return Picture(centre(whole, preprocessing), width, height)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The whole picture (the first frame), upright.

    ``max_pixels`` can lower the limit of ``MAX_PIXELS``, not raise it.

    Raises:
        Undecodable: the file gives no picture.
    """
    header = image_header.read(data)
    _admit(header, min(max_pixels, MAX_PIXELS))
    try:
        pixels: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as failure:
        raise _refused(header, data) from failure
    if pixels is None:
        raise _refused(header, data)
    return pixels


def _admit(header: image_header.Header, max_pixels: int) -> None:
    size = f"{header.format} of {header.width} x {header.height} pixels"
    if header.width * header.height > max_pixels:
        raise Undecodable("too_large", f"{size}; the limit is {max_pixels} pixels")
    if max(header.width, header.height) > MAX_SIDE:
        raise Undecodable("too_large", f"{size}; the limit is {MAX_SIDE} a side")
    if header.buffer_bytes > 4 * max_pixels:
        raise Undecodable("too_large", f"{size} that needs {header.buffer_bytes} bytes to decode")
    if header.passes > MAX_PASSES:
        raise Undecodable("too_large", f"{size} in {header.passes} scans; the limit is {MAX_PASSES}")


def _refused(header: image_header.Header, data: bytes) -> Undecodable:
    if image_ending.lacking(header.format, data):
        return Undecodable("truncated", f"a {header.format} that ends early, after {len(data)} bytes")
    return Undecodable("unsupported", f"a {header.format} that is damaged or of a kind the decoder does not know")


def centre(whole: Pixels, preprocessing: Preprocessing) -> Pixels:
    """Short side to ``resize`` with Pillow's bicubic, centre ``crop``: ``[crop, crop, 3]``, computing only the crop."""
    height, width = whole.shape[:2]
    per_pixel = float(preprocessing.resize) / min(width, height)
    columns = _Span.centred(width, round(width * per_pixel), preprocessing.crop).unless_costly(width)
    rows = _Span.centred(height, round(height * per_pixel), preprocessing.crop)
    source = np.ascontiguousarray(whole[rows.first : rows.last, columns.first : columns.last])
    box = (columns.start, rows.start, columns.stop, rows.stop)
    size = (preprocessing.crop, preprocessing.crop)
    return np.asarray(Image.fromarray(source).resize(size, Image.Resampling.BICUBIC, box=box))


@dataclass(frozen=True)
class _Span:
    """One axis of the crop: it runs from ``start`` to ``stop`` within the source pixels ``[first, last)``, which are
    all that it depends on. Cutting them out spares a panorama's memory and keeps the box's numbers small: Pillow
    holds them in float32.
    """

    first: int
    last: int
    start: float
    stop: float

    @classmethod
    def centred(cls, length: int, resized: int, crop: int) -> "_Span":
        scale = length / resized
        offset = (resized - crop) // 2
        start, stop = offset * scale, (offset + crop) * scale
        reach = 2 * max(scale, 1.0) + 1  # the bicubic kernel reaches two (source or target) pixels
        first, last = max(0, math.floor(start - reach)), min(length, math.ceil(stop + reach))
        return cls(first, last, start - first, min(stop, last) - first)

    def unless_costly(self, length: int) -> "_Span":
        """The whole axis where cutting would leave most of it: columns cannot be cut without a copy, rows can."""
        if 2 * (self.last - self.first) < length:
            return self
        return _Span(0, length, self.start + self.first, self.stop + self.first)
