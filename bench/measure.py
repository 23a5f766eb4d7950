"""Run a command and account for its whole process tree: seconds, CPU seconds, peak memory."""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Usage:
    """What one run took. CPU and memory are sampled over all descendants; a process seen once is counted to its end."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> Usage:
    """Run ``command`` to its end.

    Raises:
        RuntimeError: it failed; the message holds the end of what it printed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tree = _Tree(process.pid)
    watcher = threading.Thread(target=tree.watch, daemon=True)
    watcher.start()
    output, _ = process.communicate()
    wall_seconds = time.perf_counter() - start
    watcher.join()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output[-3000:]}")
    return Usage(wall_seconds, tree.cpu_seconds, tree.peak_bytes, output)


class _Tree:
    """The CPU time and memory of a process and its descendants, kept after they ended."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._cpu: dict[psutil.Process, float] = {}
        self.peak_bytes = 0

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())

    def watch(self) -> None:
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            self._sample()
            time.sleep(SAMPLE_SECONDS)

    def _sample(self) -> None:
        resident = 0
        for process in _family(self._root):
            try:
                times, memory = process.cpu_times(), process.memory_info()
            except psutil.NoSuchProcess:
                continue
            self._cpu[process] = times.user + times.system
            resident += memory.rss
        self.peak_bytes = max(self.peak_bytes, resident)


def _family(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


if __name__ == "__main__":
    usage = run(sys.argv[1:])
    print(usage.output, end="")
    print(f"{usage.wall_seconds:.2f} s, {usage.cpu_seconds:.2f} CPU s, {usage.peak_bytes / 2**20:.0f} MiB")
