"""Our engines against the plain ones, same weights: ratios of throughput with their spread.

Every contender is a process of its own, loaded at the start. They run in turn, in an order that turns round each
round, and ratios are taken inside a round; what the machine does meanwhile shows in the spread.

    python bench/engine.py --network alt_gvt_small --rounds 7
"""

import argparse
import importlib
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import paddleclas_model
import pictures
import plain_engines
from plain_engines import Run

from twins import export, model, preprocess, registry
from twins.engines import Images
from twins.engines.cores import available_cores

RESULTS = Path(__file__).parent / "results"
BASELINES = ("plain OpenVINO b16", "plain ONNX Runtime b16", "plain Paddle oneDNN b16")
PACKAGES = ("onnxruntime", "openvino", "paddlepaddle", "paddleclas")
SEED = 0


def _open_ours(backend: str, precision: str, models: Path) -> Run:
    engine = importlib.import_module(f"twins.engines.{backend}").load(
        models / "ours", precision=precision, batch_size=None
    )
    return lambda images: engine.run(images).logits


def _plain(opener: Callable[[Path], Run], models: Path) -> Run:
    return opener(models / "plain")


CONTENDERS: Mapping[str, Callable[[Path], Run]] = {
    BASELINES[0]: partial(_plain, plain_engines.open_openvino),
    BASELINES[1]: partial(_plain, plain_engines.open_onnxruntime),
    BASELINES[2]: partial(_plain, plain_engines.open_onednn),
    "twins openvino fp32": partial(_open_ours, "openvino", "fp32"),
    "twins onnxruntime fp32": partial(_open_ours, "onnxruntime", "fp32"),
    "twins onednn fp32": partial(_open_ours, "onednn", "fp32"),
    "twins openvino bf16": partial(_open_ours, "openvino", "bf16"),
    "twins openvino int8": partial(_open_ours, "openvino", "int8"),
}


@dataclass(frozen=True)
class Timing:
    """Of one run over all images."""

    wall_seconds: float
    cpu_seconds: float


class Worker:
    """A contender in a process of its own."""

    def __init__(self, name: str, models: Path, images: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(name, models, images, theirs), daemon=True)
        self._process.start()
        self.logits = self._pipe.recv()

    def run(self) -> Timing:
        self._pipe.send("run")
        timing: Timing = self._pipe.recv()
        return timing

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.send("stop")
        self._process.join()


def _serve(name: str, models: Path, count: int, pipe: Connection) -> None:
    images = _photographs(count, seed=1)
    run = CONTENDERS[name](models)
    pipe.send(run(images))
    while pipe.recv() == "run":
        wall, cpu = time.perf_counter(), time.process_time()
        run(images)
        pipe.send(Timing(time.perf_counter() - wall, time.process_time() - cpu))


def write_models(network: str, folder: Path, precisions: tuple[str, ...]) -> None:
    """Ours and PaddleClas' with the same weights, below ``folder``."""
    built = model.build(network, initialise=False)
    built.set_state_dict(paddleclas_model.random_weights(built, SEED))
    export.export(built, registry.network(network), folder / "ours")
    if "int8" in precisions:
        _calibrate(folder / "ours")
    (folder / "plain").mkdir()
    plain_engines.export(network, SEED, folder / "plain")


def _calibrate(directory: Path) -> None:
    from twins import quantise

    quantise.quantise(directory, _photographs(64, seed=2))


def _photographs(count: int, seed: int) -> Images:
    return np.stack([preprocess.crop(data) for data in pictures.jpegs(count, seed)])


def measure(workers: Mapping[str, Worker], rounds: int) -> dict[str, list[Timing]]:
    """``rounds`` runs of each, in turn, every other round backwards."""
    timings: dict[str, list[Timing]] = {name: [] for name in workers}
    for number in range(rounds):
        for name in list(workers)[:: 1 if number % 2 else -1]:
            timings[name].append(workers[name].run())
    return timings


def ratios(of: list[Timing], to: list[Timing], key: str) -> list[float]:
    """How many times faster ``of`` is than ``to``, round by round."""
    return [getattr(other, key) / getattr(own, key) for own, other in zip(of, to, strict=True)]


def table(timings: Mapping[str, list[Timing]], images: int, key: str) -> str:
    lines = [f"{key:24s} {'images/s':>9s}  " + "  ".join(f"{'÷ ' + name:24s}" for name in BASELINES)]
    for name, own in timings.items():
        rate = images / statistics.median(getattr(timing, key) for timing in own)
        spreads = [_spread(ratios(own, timings[other], key)) for other in BASELINES]
        lines.append(f"{name:24s} {rate:9.1f}  " + "  ".join(f"{spread:24s}" for spread in spreads))
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def differences(workers: Mapping[str, Worker]) -> dict[str, float]:
    """The largest difference of a logit to plain ONNX Runtime's, relative to the largest logit."""
    wanted = workers[BASELINES[1]].logits
    return {name: float(abs(worker.logits - wanted).max() / abs(wanted).max()) for name, worker in workers.items()}


def agreements(workers: Mapping[str, Worker]) -> dict[str, float]:
    """The share of photographs whose top-1 class is plain ONNX Runtime's: what the accuracy guard looks at."""
    wanted = workers[BASELINES[1]].logits.argmax(axis=1)
    return {name: float((worker.logits.argmax(axis=1) == wanted).mean()) for name, worker in workers.items()}


def _report(
    arguments: argparse.Namespace,
    timings: Mapping[str, list[Timing]],
    off: Mapping[str, float],
    agree: Mapping[str, float],
) -> None:
    for key in ("wall_seconds", "cpu_seconds"):
        print(table(timings, arguments.images, key), end="\n\n")
    print("\n".join(f"{name:24s} differs by {off[name]:.1e}, agrees on {agree[name]:.1%}" for name in off))
    result: dict[str, Any] = {
        "network": arguments.network,
        "images": arguments.images,
        "cores": available_cores(),
        "versions": {name: version(name) for name in PACKAGES},
        "difference": off,
        "agreement": agree,
        "timings": {name: [asdict(timing) for timing in values] for name, values in timings.items()},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"engine-{arguments.network}.json").write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="alt_gvt_small", choices=registry.NETWORKS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=32, help="a run, a multiple of 16")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16", "int8"])
    arguments = parser.parse_args()
    names = [name for name in CONTENDERS if name in BASELINES or name.endswith(tuple(arguments.precisions))]
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        write_models(arguments.network, Path(scratch), tuple(arguments.precisions))
        workers = {name: stack.enter_context(Worker(name, Path(scratch), arguments.images)) for name in names}
        _report(arguments, measure(workers, arguments.rounds), differences(workers), agreements(workers))


if __name__ == "__main__":
    main()
