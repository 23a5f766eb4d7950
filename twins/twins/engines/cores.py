"""How many processors this process may use."""

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""Where cgroup v2 keeps the CPU limit of a container."""


def available_cores() -> int:
    """Processors to run on: those of the affinity mask, or fewer where a container's CPU limit says so."""
    allowed = len(os.sched_getaffinity(0))
    limit = cpu_limit(CPU_MAX.read_text()) if CPU_MAX.is_file() else None
    return allowed if limit is None else max(1, min(allowed, math.ceil(limit)))


def cpu_limit(cpu_max: str) -> float | None:
    """Processors that ``cpu.max`` (``QUOTA PERIOD`` or ``max PERIOD``, microseconds) grants; ``None``: no limit."""
    quota, period = cpu_max.split()
    return None if quota == "max" else int(quota) / int(period)
