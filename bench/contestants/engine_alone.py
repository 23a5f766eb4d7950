"""Our engine fed from memory: what the network costs without fetching, decoding or writing anything."""

import sys
from pathlib import Path

import numpy as np

from twins import engines

count, model, backend = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
images = np.random.default_rng(0).integers(0, 256, (64, 224, 224, 3), dtype=np.uint8)
engine = engines.load(backend, model, precision="fp32", batch_size=None)
for start in range(0, count, len(images)):
    engine.run(images[: min(len(images), count - start)])
