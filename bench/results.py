"""Figures of several rounds as a table of medians and ranges, and as JSON in ``bench/results/``."""

import json
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent / "results"


def spread(values: Iterable[float], digits: int = 1) -> str:
    """``median [min, max]``"""
    ordered = sorted(values)
    return f"{statistics.median(ordered):.{digits}f} [{ordered[0]:.{digits}f}, {ordered[-1]:.{digits}f}]"


def show(name: str, rounds: Sequence[Mapping[str, Any]], reference: str) -> None:
    """Print ``rounds`` (contestant → dataclass of figures, one mapping a round) and keep them.

    The first two figures of a contestant are also given as ratios to ``reference``, taken inside each round.
    """
    first = asdict(next(iter(rounds[0].values())))
    table = Table(title=f"{name}: median [min, max] of {len(rounds)} rounds, {_machine()}")
    ratios = [f"{figure} ÷ {reference}" for figure in list(first)[:2]]
    for heading in ("", *(figure.replace("_", " ") for figure in first), *ratios):
        table.add_column(heading)
    for contestant in rounds[0]:
        figures = [spread(getattr(each[contestant], figure) for each in rounds) for figure in first]
        table.add_row(
            contestant, *figures, *(_ratio(rounds, contestant, reference, figure) for figure in list(first)[:2])
        )
    Console(width=200).print(table)
    _keep(name, rounds)


def _ratio(rounds: Sequence[Mapping[str, Any]], contestant: str, reference: str, figure: str) -> str:
    return spread((getattr(each[contestant], figure) / getattr(each[reference], figure) for each in rounds), 2)


def _keep(name: str, rounds: Sequence[Mapping[str, Any]]) -> None:
    FOLDER.mkdir(exist_ok=True)
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "rounds": [{contestant: asdict(figures) for contestant, figures in each.items()} for each in rounds],
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} cores of {models[0]}, Python {platform.python_version()}"
