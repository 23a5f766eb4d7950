"""What rows take: seconds by the clock and of CPU time, by stage."""

import time
from collections import Counter
from datetime import UTC, datetime

from twins_worker.batches import Outcomes
from twins_worker.figures import Figures


class Stopwatch:
    """Measures the thread that asks it, from its making."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    @property
    def wall(self) -> float:
        return time.perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        return time.thread_time() - self._cpu


class Meter:
    """Measures from one part to the next what the process did for it."""

    def __init__(self) -> None:
        self._start, self._cpu = datetime.now(UTC), time.process_time()

    def figures(self, part: Outcomes) -> Figures:
        """Those of a part that is computed; and start anew."""
        start, cpu = self._start, self._cpu
        self._start, self._cpu = datetime.now(UTC), time.process_time()
        fetch_wall, fetch_cpu, decode_wall, decode_cpu = part.seconds.sum(axis=0).tolist()
        infer_cpu = max(self._cpu - cpu - fetch_cpu - decode_cpu, 0.0)
        return Figures(
            images=len(part.failures),
            failed=dict(sorted(Counter(failure.code for failure in part.failures if failure).items())),
            bytes=int(part.fetched_bytes.clip(0).sum()),
            wall_seconds={"fetch": fetch_wall, "decode": decode_wall, "infer": part.infer_seconds},
            cpu_seconds={"fetch": fetch_cpu, "decode": decode_cpu, "infer": infer_cpu},
            waited_seconds=part.waited_seconds,
            start=start.isoformat(timespec="milliseconds"),
            end=self._start.isoformat(timespec="milliseconds"),
        )


def with_writing(figures: Figures, watch: Stopwatch) -> Figures:
    """``figures`` and what writing took so far."""
    wall, cpu = {**figures.wall_seconds, "write": watch.wall}, {**figures.cpu_seconds, "write": watch.cpu}
    return figures.model_copy(update={"wall_seconds": wall, "cpu_seconds": cpu})
