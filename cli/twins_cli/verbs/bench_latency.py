"""``twins bench latency``: milliseconds a call, beside the published ones."""

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twins.registry import NETWORKS, Network, network
from twins_cli import options, request, terminal
from twins_cli.terminal import Format, Output

if TYPE_CHECKING:
    from twins.engines import Engine

BATCHES = (1, 4, 8)
COLUMNS = ("network", *(f"{where}, batch {batch} (ms)" for batch in BATCHES for where in ("here", "V100")))
WARM_UP_CALLS, LEAST_CALLS = 3, 5


def latency(
    models: Annotated[
        list[str] | None, typer.Argument(help="Networks; by default all six.", show_default=False)
    ] = None,
    backend: Annotated[str, typer.Option(help="The engine.")] = "openvino",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or bf16.")] = "fp32",
    seconds: Annotated[float, typer.Option(min=0, help="How long each is measured.")] = 2.0,
    output: Output = Format.text,
) -> None:
    """Median milliseconds a call, for batches of 1, 4 and 8, beside the published ones (V100, TensorRT 8.0.3.4, FP32).

    Weights are random, which takes nothing from the time.

    Examples:

        twins bench latency

        twins bench latency --backend onnxruntime alt_gvt_small pcpvt_small
    """
    measured = [_row(network(name), backend, precision, seconds) for name in models or NETWORKS]
    if output is Format.json:
        terminal.tell_json({"backend": backend, "precision": precision, "rows": terminal.record(COLUMNS, measured)})
    else:
        terminal.tell_table(COLUMNS, measured, title=f"{backend}, {precision}")


def _row(spec: Network, backend: str, precision: str, seconds: float) -> tuple[object, ...]:
    from twins import engines
    from twins_worker import exported, model_cache

    asked = options.Model(model=spec.name, weights="random:0", backend=backend, precision=precision)
    job = request.trial(asked, "/", Path("/twins-bench"))
    cache = model_cache.of_job(job)
    folder = cache.path(exported.model(job, cache, terminal.say))
    cells: list[object] = [spec.name]
    for batch in BATCHES:
        terminal.say(f"{spec.name}: batch {batch}")
        engine = engines.load(backend, folder, precision=precision, batch_size=batch)
        try:
            cells += [f"{_median_ms(engine, batch, seconds):.2f}", f"{spec.published.latency_ms[batch]:.2f}"]
        finally:
            engine.close()
    return tuple(cells)


def _median_ms(engine: "Engine", batch: int, seconds: float) -> float:
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (batch, 224, 224, 3), dtype=np.uint8)
    for _ in range(WARM_UP_CALLS):
        engine.run(images)
    taken: list[float] = []
    while len(taken) < LEAST_CALLS or sum(taken) < seconds:
        start = time.perf_counter()
        engine.run(images)
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)
