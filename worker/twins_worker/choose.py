"""``backend: auto``: the fastest engine on this machine for this model, by measurement, and why in words."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

from twins import engines
from twins.engines.cores import available_cores
from twins.errors import RequestError
from twins_worker import settings

PREFERENCE = (*engines.GPU_BACKENDS, *engines.CPU_BACKENDS)
NOISE = 0.1
"""A slower engine that is preferred is still taken when it is as close as this to the fastest: machines are noisy."""

MEASURED_SECONDS = 2.0
MEASURED_IMAGES = 16


@dataclass(frozen=True)
class Choice:
    """An engine, and why it was taken: ``openvino 31.2 images/s, onnxruntime 27.0, onednn 22.4``."""

    backend: str
    why: str


def choose(asked: settings.Engine, model: Path, verdicts: Path) -> Choice:
    """The engine for ``model`` (an exported model's folder); a measured verdict is kept in the folder ``verdicts``.

    Raises:
        RequestError: ``auto``, and no engine can run here.
    """
    if asked.backend != "auto":
        return Choice(asked.backend, "asked for")
    kept = verdicts / f"{_situation(asked, model)}.json"
    if not kept.exists():
        _keep(_measured(asked, model), kept)
    return Choice(**json.loads(kept.read_text()))


def _measured(asked: settings.Engine, model: Path) -> Choice:
    rates: dict[str, float] = {}
    absent: list[str] = []
    for backend in PREFERENCE:
        try:
            rates[backend] = images_per_second(backend, asked, model)
        except RequestError as error:
            absent.append(f"{error.value} {error.problem}")
        except Exception as error:  # noqa: BLE001 - one engine's fault, of whatever kind, leaves the others
            absent.append(f"{backend} fails here: {type(error).__name__}")
    if not rates:
        raise RequestError("engine.backend", "auto", f"finds no engine: {'; '.join(absent)}", "Install one of them.")
    return Choice(fastest(rates), _told(rates, absent))


def fastest(rates: Mapping[str, float]) -> str:
    """The first by preference that is within ``NOISE`` of the best: ``rates`` are images/s by backend."""
    good_enough = (1 - NOISE) * max(rates.values())
    return next(backend for backend in PREFERENCE if rates.get(backend, 0) >= good_enough)


def _told(rates: Mapping[str, float], absent: Sequence[str]) -> str:
    figures = ", ".join(f"{backend} {rate:.1f}" for backend, rate in rates.items())
    return f"measured images/s: {figures}" + (f" ({'; '.join(absent)})" if absent else "")


def images_per_second(backend: str, asked: settings.Engine, model: Path) -> float:
    """The rate of the fastest of several runs of ``backend``, in two seconds or more, after one to warm up.

    Raises:
        RequestError: the engine cannot run here.
    """
    images = np.random.default_rng(0).integers(0, 256, (MEASURED_IMAGES, 224, 224, 3), dtype=np.uint8)
    with closing(engines.load(backend, model, precision=asked.precision, batch_size=asked.images_per_call)) as engine:
        engine.run(images)
        return len(images) / min(_run_seconds(engine, images))


def _run_seconds(engine: engines.Engine, images: engines.Images) -> Iterator[float]:
    end = time.perf_counter() + MEASURED_SECONDS
    while (start := time.perf_counter()) < end:
        engine.run(images)
        yield time.perf_counter() - start


def _situation(asked: settings.Engine, model: Path) -> str:
    """Names what a verdict depends on: the model, the request, the machine and the installed engines."""
    packages = ("openvino", "onnxruntime", "onnxruntime-gpu", "paddlepaddle", "paddlepaddle-gpu")
    installed = sorted(f"{d.name} {d.version}" for d in distributions() if d.name in packages)
    gpus = sorted(path.name for path in Path("/proc/driver/nvidia/gpus").glob("*"))
    machine = (platform.machine(), _processor(), available_cores(), gpus)
    return hashlib.sha256(repr((model.name, asked, machine, installed)).encode()).hexdigest()[:32]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _keep(choice: Choice, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = file.with_suffix(f".{os.getpid()}")
    whole.write_text(json.dumps({"backend": choice.backend, "why": choice.why}))
    whole.rename(file)
