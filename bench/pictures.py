"""ImageNet-size JPEGs (500 x 375, quality 85 to 95), cut from photographs of scikit-image and scikit-learn."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

SIZE = (500, 375)


def jpegs(count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` different pictures, the same on every machine with the same packages."""
    random = np.random.default_rng(seed)
    photographs = [Image.fromarray(pixels) for pixels in _photographs()]
    for _ in range(count):
        yield _encode(_cut(photographs[random.integers(len(photographs))], random), int(random.integers(85, 96)))


def _photographs() -> list[np.ndarray]:
    return [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), *load_sample_images().images]


def _cut(photograph: Image.Image, random: np.random.Generator) -> Image.Image:
    width = int(random.integers(photograph.width // 2, photograph.width + 1))
    height = min(photograph.height, width * SIZE[1] // SIZE[0])
    left, top = random.integers(photograph.width - width + 1), random.integers(photograph.height - height + 1)
    return photograph.crop((left, top, left + width, top + height)).resize(SIZE, Image.Resampling.LANCZOS)


def _encode(picture: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
