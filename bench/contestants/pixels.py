"""The evaluation's pixels for frameworks that bring none of their own: OpenCV decodes, Pillow resizes."""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

cv2.setNumThreads(1)

SIDE, CROP = 256, 224


def image(data: bytes) -> npt.NDArray[np.uint8]:
    """``[224, 224, 3]`` RGB."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    height, width = pixels.shape[:2]
    scale = SIDE / min(height, width)
    resized = Image.fromarray(pixels).resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    left, top = (resized.width - CROP) // 2, (resized.height - CROP) // 2
    return np.asarray(resized.crop((left, top, left + CROP, top + CROP)))
