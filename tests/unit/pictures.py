"""Real photographs (scikit-image's and scikit-learn's), written in the ways that people's files are written."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import sklearn
from PIL import Image

from twins.opencv import cv2

_SKIMAGE = Path(skimage.__file__).parent / "data"
_SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
PHOTOGRAPHS = {
    "astronaut": _SKIMAGE / "astronaut.png",
    "chelsea": _SKIMAGE / "chelsea.png",
    "coffee": _SKIMAGE / "coffee.png",
    "rocket": _SKIMAGE / "rocket.jpg",
    "china": _SKLEARN / "china.jpg",
    "flower": _SKLEARN / "flower.jpg",
}


@cache
def photograph(name: str, size: tuple[int, int] | None = None) -> Image.Image:
    image = Image.open(PHOTOGRAPHS[name]).convert("RGB")
    return image.resize(size, Image.Resampling.LANCZOS) if size else image


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def rotated(image: Image.Image, format_name: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, format_name, exif=exif)


def sixteen_bit(image: Image.Image, suffix: str) -> bytes:
    deep = np.asarray(image).astype(np.uint16) * 257 - 91 * (np.asarray(image) > 0)
    written, file = cv2.imencode(suffix, deep.astype(np.uint16))
    assert written
    return bytes(file)


def files(image: Image.Image) -> dict[str, bytes]:
    """One picture, in every way; the key reads as what the file is."""
    more = [image.rotate(20), image.rotate(50)]
    alpha = image.copy()
    alpha.putalpha(image.convert("L"))
    wide, tall = image.resize((1500, 90)), image.resize((70, 2100))
    return {
        "baseline JPEG": encoded(image, "JPEG", quality=90),
        "baseline JPEG without chroma subsampling": encoded(image, "JPEG", quality=96, subsampling=0),
        "progressive JPEG": encoded(image, "JPEG", progressive=True),
        "grey JPEG": encoded(image.convert("L"), "JPEG"),
        "CMYK JPEG": encoded(image.convert("CMYK"), "JPEG"),
        **{f"JPEG of EXIF orientation {way}": rotated(image, "JPEG", way) for way in range(1, 9)},
        "JPEG with restart markers": encoded(image, "JPEG", restart_marker_rows=2),
        "PNG": encoded(image, "PNG"),
        "PNG of EXIF orientation 6": rotated(image, "PNG", 6),
        "PNG with alpha": encoded(alpha, "PNG"),
        "PNG with a palette": encoded(image.quantize(64), "PNG"),
        "PNG with a palette and a transparent colour": encoded(image.quantize(64), "PNG", transparency=3),
        "black and white PNG": encoded(image.convert("1"), "PNG"),
        "grey PNG": encoded(image.convert("L"), "PNG"),
        "grey PNG with alpha": encoded(alpha.convert("LA"), "PNG"),
        "16-bit PNG": sixteen_bit(image, ".png"),
        "16-bit grey PNG": sixteen_bit(image.convert("L"), ".png"),
        "PNG of one pixel": encoded(image.crop((9, 9, 10, 10)), "PNG"),
        "PNG of two pixels": encoded(image.crop((9, 9, 11, 10)), "PNG"),
        "animated PNG": encoded(image, "PNG", save_all=True, append_images=more),
        "lossy WebP": encoded(image, "WEBP", quality=80),
        "lossless WebP": encoded(image, "WEBP", lossless=True),
        "WebP with alpha": encoded(alpha, "WEBP"),
        "WebP of EXIF orientation 3": rotated(image, "WEBP", 3),
        "animated WebP": encoded(image, "WEBP", save_all=True, append_images=more),
        "BMP": encoded(image, "BMP"),
        "BMP with a palette": encoded(image.quantize(64), "BMP"),
        "black and white BMP": encoded(image.convert("1"), "BMP"),
        "GIF": encoded(image, "GIF"),
        "interlaced GIF": encoded(image.quantize(64), "GIF", interlace=True),
        "animated GIF": encoded(image, "GIF", save_all=True, append_images=more),
        "TIFF": encoded(image, "TIFF"),
        "LZW TIFF": encoded(image, "TIFF", compression="tiff_lzw"),
        "deflated TIFF": encoded(image, "TIFF", compression="tiff_deflate"),
        "JPEG in TIFF": encoded(image, "TIFF", compression="jpeg"),
        "grey TIFF": encoded(image.convert("L"), "TIFF"),
        "16-bit TIFF": sixteen_bit(image, ".tiff"),
        "TIFF of EXIF orientation 8": rotated(image, "TIFF", 8),
        "TIFF of many pages": encoded(image, "TIFF", save_all=True, append_images=more),
        "wide panorama": encoded(wide, "JPEG"),
        "tall panorama": encoded(tall, "JPEG"),
        "thin strip": encoded(image.resize((900, 3)), "PNG"),
        "picture of the very size of the crop": encoded(image.resize((224, 224)), "PNG"),
        "picture of the very size of the resize": encoded(image.resize((301, 256)), "PNG"),
    }
