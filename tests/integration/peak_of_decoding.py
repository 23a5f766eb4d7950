"""Prints by how many bytes a pipeline's memory grew at its peak over the files of a folder, and what bound it promised.

python peak_of_decoding.py FOLDER MODEL DECODE_THREADS DECODE_BYTES
"""

import sys
from pathlib import Path

from twins import engines
from twins_worker.batches import Batch
from twins_worker.fetch import Row, fetcher
from twins_worker.pipeline import Expected, Flow, scored
from twins_worker.settings import Storage


def peak_bytes() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def read(files: list[Path]) -> int:
    """How many of the pictures were scored."""
    batch = Batch(0, [Row(str(file), None, None, file.stat().st_size, None) for file in files], last=True)
    (done,) = scored([batch], fetcher(Storage()), ENGINE, Expected(10, 512, 5, features=False), FLOW)
    return int(done.outcomes.good.sum())


if __name__ == "__main__":
    folder, model, threads, decode_bytes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    ENGINE = engines.load("onnxruntime", model, precision="fp32", batch_size=None)
    FLOW = Flow(8, fetch_threads=4, fetch_ahead=8, decode_threads=threads, decode_bytes=decode_bytes)
    files = sorted(folder.glob("*.jpg"))
    read([folder / "small.jpg"] * 8)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (proc(5))
    before = peak_bytes()
    good = read([file for file in files if file.name != "small.jpg"])
    sys.stdout.write(f"{good} {peak_bytes() - before} {FLOW.memory_bytes}\n")
