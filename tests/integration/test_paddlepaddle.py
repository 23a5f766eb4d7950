"""A process that uses Paddle still ends as a step ends: told to stop, it says so."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from twins_worker.exits import Exit
from twins_worker.settings import Job


def test_prepare_stops_when_it_is_told_while_paddle_works(tmp_path: Path) -> None:
    job = Job.model_validate(
        {
            "model": {"name": "alt_gvt_small", "weights": "random:0"},
            "input": {"uri": str(tmp_path)},
            "output": {"uri": str(tmp_path / "out")},
            "engine": {"backend": "onednn"},
        }
    )
    told = tmp_path / "termination-log"
    command = ["prepare", "--job", job.model_dump_json(by_alias=True), "--termination-log", str(told)]
    with subprocess.Popen(
        [sys.executable, "-m", "twins_worker", *command],
        env={**os.environ, "TWINS_CACHE": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "Paddle2ONNX" in line)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == Exit.TOLD_TO_STOP
    assert json.loads(told.read_text())["reason"] == "ToldToStop"
    assert "FatalError" not in rest
