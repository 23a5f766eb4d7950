"""``twins bench throughput``: images a second from their storage to Parquet, beside the engine's own."""

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twins_cli import options, request, terminal
from twins_cli.terminal import Format, Output

if TYPE_CHECKING:
    from twins_worker.infer import Model
    from twins_worker.settings import Job

BATCH = 32
"""Images that the engine is given at a time, as in the pipeline."""


@dataclass(frozen=True)
class Rate:
    """Images, the seconds by the clock, and the seconds of CPU time that they took."""

    images: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.images / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU time an image."""
        return 1000 * self.cpu_seconds / self.images


def throughput(
    source: Annotated[str, typer.Argument(metavar="IN", help="Images: a path, a glob, s3://…")],
    asked: options.Model,
    limit: Annotated[int | None, typer.Option(min=1, help="The first N images.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long the bare engine is measured.")] = 10.0,
    output: Output = Format.text,
) -> None:
    """Images a second end to end (fetch, decode, infer, write Parquet), beside the same engine fed from memory.

    Listing and the model's preparation come before the clock starts: they are once a job. Weights are random unless you
    name some, which takes nothing from the time.

    Examples:

        twins bench throughput photos/

        twins bench throughput --model pcpvt_small --limit 2000 s3://photos/
    """
    with tempfile.TemporaryDirectory(prefix="twins-") as folder:
        known = {"weights": asked.weights or "random:0", **({} if limit is None else {"limit": limit})}
        job = request.trial(asked, source, Path(folder, "out"), **known)
        with request.in_words_of_options():
            whole, bare = _measured(job, seconds)
    _show(whole, bare, output)


def _measured(job: "Job", seconds: float) -> tuple[Rate, Rate]:
    from twins_worker import infer, models, plan, prepare

    planned = plan.run(job)
    prepared = prepare.run(job, tell=terminal.say)
    terminal.say(f"{planned.images} images with {prepared.backend}, {prepared.precision}")
    with models.opened(job) as model:
        _engine_rate(model, 1)  # warm
        start, cpu = time.perf_counter(), time.process_time()
        for shard in range(planned.shards):
            infer.run(job, shard, model)
        whole = Rate(planned.images, time.perf_counter() - start, time.process_time() - cpu)
        return whole, _engine_rate(model, seconds)


def _engine_rate(model: "Model", seconds: float) -> Rate:
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    done, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        model.engine.run(images)
        done += BATCH
    return Rate(done, time.perf_counter() - start, time.process_time() - cpu)


def _show(whole: Rate, bare: Rate, output: Format) -> None:
    ratio, cpu_ratio = whole.per_second / bare.per_second, bare.cpu_ms / whole.cpu_ms
    if output is Format.json:
        rates = {"endToEnd": asdict(whole), "engine": asdict(bare)}
        terminal.tell_json({**rates, "ratio": ratio, "ratioByCpuTime": cpu_ratio})
        return
    rows = [
        (name, rate.images, f"{rate.per_second:.1f}", f"{rate.cpu_ms:.2f}")
        for name, rate in (("end to end", whole), ("engine alone", bare))
    ]
    terminal.tell_table(("", "images", "images/s", "CPU ms/image"), rows)
    terminal.tell(f"end to end is {ratio:.3f} of the engine alone, {cpu_ratio:.3f} by CPU time")
