"""What decoding takes is bounded, whatever small files unfold to."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import photographs
import pytest
import tiny_model
from PIL import Image

from twins_worker import memory

SIZE = (6000, 4000)
PICTURES = 6
SLACK_BYTES = 64 * 2**20
"""Files, batches, and what an allocator keeps."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small picture, and several of 24 megapixels, progressive and to be turned: 2 MB and 216 MB each."""
    folder = tmp_path_factory.mktemp("large")
    patches = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    large = Image.fromarray(patches).resize(SIZE, Image.Resampling.BILINEAR)
    large.save(folder / "0.jpg", progressive=True, subsampling=0, exif=exif)
    for number in range(1, PICTURES):
        (folder / f"{number}.jpg").hardlink_to(folder / "0.jpg")
    (folder / "small.jpg").write_bytes(photographs.jpeg(0))
    tiny_model.write(folder / "model")
    return folder


@pytest.mark.parametrize("at_once", [1, 2])
def test_decoders_share_the_room_that_they_were_given(at_once: int, folder: Path) -> None:
    """Four threads; more at once would take more."""
    room = at_once * memory.decoding_bytes((folder / "0.jpg").read_bytes())
    script = str(Path(__file__).with_name("peak_of_decoding.py"))
    arguments = (str(folder), str(folder / "model"), "4", str(room))
    told = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True).stdout
    good, grown, promised = map(int, told.split())
    assert good == PICTURES
    assert grown <= room + SLACK_BYTES < promised
