"""OpenCV, set up for hostile files and for callers that bring their own threads. Import ``cv2`` from here only:
OpenCV reads its limits from the environment once, when it is loaded.
"""

import os

os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(2**27)
os.environ["OPENCV_IO_MAX_IMAGE_WIDTH"] = str(2**20)
os.environ["OPENCV_IO_MAX_IMAGE_HEIGHT"] = str(2**20)
os.environ["OPENCV_LOG_LEVEL"] = "SILENT"  # a refused file is a row with a code, not a line on stderr
import cv2

__all__ = ["MAX_PIXELS", "MAX_SIDE", "cv2"]

MAX_PIXELS = int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"])
"""134 million: a medium-format camera's 102 megapixels fit, and a decoded picture takes at most 384 MiB."""
MAX_SIDE = int(os.environ["OPENCV_IO_MAX_IMAGE_WIDTH"])
"""OpenCV's own default."""

cv2.setNumThreads(0)
