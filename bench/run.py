"""Every benchmark, one after the other: about 40 minutes on two cores. Each can be run alone, with ``--help``."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

RUNS = (
    ("engine.py", "--network", "alt_gvt_small", "--rounds", "7"),
    ("engine.py", "--network", "pcpvt_small", "--rounds", "5"),
    ("end_to_end.py", "--rounds", "3", "--few", "32", "--many", "256"),
    ("end_to_end.py", "--rounds", "3", "--few", "100", "--many", "1000", "--null"),
    ("planning.py",),
)

for script, *arguments in RUNS:
    print(f"\n== bench/{script} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-W", "ignore", str(HERE / script), *arguments], check=True)
