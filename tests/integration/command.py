"""The command as a person calls it, and pictures to call it with."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

COMMAND = (sys.executable, "-m", "twins_cli.main")
MODEL = ("--weights", "random:0", "--backend", "onnxruntime")
SMALL = ("--model", "alt_gvt_small", *MODEL)


@dataclass(frozen=True)
class Twins:
    """Runs the command in a folder, with a cache of models."""

    folder: Path
    cache: Path

    def __call__(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        words = [*COMMAND, *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, cwd=self.folder, env=self.environment, check=False)

    def started(self, *arguments: object) -> "subprocess.Popen[str]":
        """The command, running."""
        words = [*COMMAND, *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, cwd=self.folder, env=self.environment)

    @property
    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "TWINS_CACHE": str(self.cache)}


def jpeg(seed: int) -> bytes:
    """A picture of 8 x 6 patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(patches).resize((64, 48), Image.Resampling.NEAREST).save(data, "JPEG", quality=90)
    return data.getvalue()


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The folder, with these files in it."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
