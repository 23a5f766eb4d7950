"""Off. OpenVINO, NNCF and ONNX Runtime would note each use below the user's home, and send it to their makers.

Imported by the package itself, so that it comes before any engine.
"""

import os
import sys

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # documented: an import of it fails
