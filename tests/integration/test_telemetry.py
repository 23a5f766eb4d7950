"""Engines leave nothing in the user's home, and so have nothing to send."""

import os
import subprocess
import sys
from pathlib import Path

import tiny_model

PROGRAM = """
import sys
from pathlib import Path
from twins import engines, quantise
for backend in ("openvino", "onnxruntime"):
    engines.load(backend, Path(sys.argv[1]), precision="fp32", batch_size=None).close()
"""


def test_a_home_stays_empty(tmp_path: Path) -> None:
    home, model = tmp_path / "home", tiny_model.write(tmp_path / "model")
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    subprocess.run([sys.executable, "-c", PROGRAM, model], env={**kept, "HOME": str(home)}, check=True)
    assert list(home.rglob("*")) == []
