"""From the bytes of a file to the pixels that a network sees.

The pixels are those of PaddleClas' evaluation operators (DecodeImage, ResizeImage with Pillow's bicubic, CropImage),
byte for byte. Files are hostile: a header is read and judged before a decoder allocates, and a file that is cut short
gives no picture, never a grey-filled one.
"""

from dataclasses import dataclass

import numpy as np

from twins import image_ending, image_header, resample
from twins.image_header import Undecodable
from twins.opencv import MAX_PIXELS, MAX_SIDE, cv2
from twins.registry import Preprocessing
from twins.resample import Pixels

__all__ = ["MAX_PIXELS", "Picture", "Pixels", "Undecodable", "crop", "decode", "read"]

MAX_PASSES = 100
"""Scans of a JPEG. Encoders write about ten; each costs a walk over the picture and takes a dozen bytes to ask for."""

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
    if len(data) < header.least_bytes:
        raise Undecodable("truncated", f"{header}, which cannot be whole in {len(data)} bytes")
    try:
        pixels: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as failure:
        raise _refused(header, data) from failure
    if pixels is None:
        raise _refused(header, data)
    return pixels


def _admit(header: image_header.Header, max_pixels: int) -> None:
    if header.width * header.height > max_pixels:
        raise Undecodable("too_large", f"{header}; the limit is {max_pixels} pixels")
    if max(header.width, header.height) > MAX_SIDE:
        raise Undecodable("too_large", f"{header}; the limit is {MAX_SIDE} a side")
    if header.buffer_bytes > 4 * max_pixels:
        raise Undecodable("too_large", f"{header} that needs {header.buffer_bytes} bytes to decode")
    if header.passes > MAX_PASSES:
        raise Undecodable("too_large", f"{header} in {header.passes} scans; the limit is {MAX_PASSES}")


def _refused(header: image_header.Header, data: bytes) -> Undecodable:
    if image_ending.lacking(header.format, data):
        return Undecodable("truncated", f"a {header.format} that ends early, after {len(data)} bytes")
    return Undecodable("unsupported", f"a {header.format} that is damaged or of a kind the decoder does not know")


def centre(whole: Pixels, preprocessing: Preprocessing) -> Pixels:
    """Short side to ``resize`` (bicubic), centre ``crop``: ``[crop, crop, 3]``, computing only the crop."""
    height, width = whole.shape[:2]
    scale = float(preprocessing.resize) / min(width, height)
    size = round(width * scale), round(height * scale)
    return resample.resized_centre(whole, size, preprocessing.crop)
