"""Steps of a job: in this process, or as pods run them, a process each with an exit code and a termination message."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import tiny_model

from twins_worker import infer, models, plan, prepare
from twins_worker.settings import Engine, FailurePolicy, Input, Job, Model, Output, Storage
from twins_worker.storage import open_place


def job(
    source: str,
    output: str,
    weights: Path | None = None,
    storage: Storage | None = None,
    *,
    classes: int = tiny_model.CLASSES,
    images_per_shard: int | None = None,
    max_failed: int | str = "100%",
) -> Job:
    """A job of the tiny model in the folder ``weights``."""
    return Job(
        model=Model(name="alt_gvt_small", weights=weights and str(weights), num_classes=classes),
        input=Input(uri=source),
        output=Output(uri=output, embedding=True),
        engine=Engine(backend="onnxruntime"),
        storage=storage or Storage(),
        images_per_shard=images_per_shard or "auto",
        failure_policy=FailurePolicy(max_failed_images=max_failed),
    )


def computed(asked: Job) -> Job:
    """``asked``, with all its parts written."""
    planned = plan.run(asked)
    prepare.run(asked)
    with models.opened(asked) as model:
        for shard in range(planned.shards):
            infer.run(asked, shard, model)
    return asked


def rows(asked: Job) -> pa.Table:
    """All that lie in the output, in a form that compares: every file has a dictionary of errors of its own."""
    output = open_place(asked.output.uri, asked.storage)
    files = (pq.read_table(io.BytesIO(output.get(file.key))) for file in output.list("data/"))
    table = pa.concat_tables(file.replace_schema_metadata() for file in files)
    return table.set_column(table.column_names.index("error"), "error", table["error"].cast(pa.string()))


@dataclass(frozen=True)
class Ended:
    """How a step's process ended."""

    code: int
    told: dict[str, Any]
    log: str


@dataclass(frozen=True)
class Step:
    """One step of ``job``, to be started as often as it takes."""

    job: Job
    name: str
    shard: int | None = None

    def start(self, message: Path, *, python: Sequence[str] = ("-m",)) -> "subprocess.Popen[str]":
        """``python -m twins_worker STEP …``; ``python`` may say another way to run a module."""
        job = self.job.model_dump_json(by_alias=True)
        shard = () if self.shard is None else ("--shard", str(self.shard))
        arguments = (self.name, "--job", job, "--termination-log", str(message), *shard)
        return subprocess.Popen(
            [sys.executable, *python, "twins_worker", *arguments],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, message: Path) -> Ended:
        """Start it, undisturbed, and wait."""
        process = self.start(message)
        _, log = process.communicate()
        return Ended(process.returncode, json.loads(message.read_bytes()), log)
