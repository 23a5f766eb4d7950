"""Small pictures, each of a colour of its own, and files that are none."""

import io

import numpy as np
from PIL import Image


def jpeg(seed: int) -> bytes:
    """A picture of 8 x 6 patches: its mean colour, hence its class and score, is nobody else's."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(patches).resize((64, 48), Image.Resampling.NEAREST).save(data, "JPEG", quality=90)
    return data.getvalue()


def some(count: int) -> dict[str, bytes]:
    """Files by name: ``count`` pictures, and one of each kind that is none."""
    pictures = {f"{number:03d}.jpg": jpeg(number) for number in range(count)}
    return {**pictures, "010-cut.jpg": jpeg(0)[:-200], "020-text.jpg": b"not a picture", "030-empty.jpg": b""}
