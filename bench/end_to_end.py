"""End to end, from a real S3 server to Parquet: us, our engine alone, PaddleClas' loop, Ray Data, Daft, side by side.

Every contestant runs in every round, once on few pictures and once on many: the difference is what an image costs, and
the short run is what starting costs. Ratios are taken inside a round, so that a slow minute of the machine slows all.

    python bench/end_to_end.py --rounds 3 --few 32 --many 256           # with the network
    python bench/end_to_end.py --rounds 5 --few 100 --many 1000 --null  # the data path alone
"""

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import measure
import models
import pictures
import results
from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server  # noqa: E402

OURS = sys.executable
PEERS = str(ROOT / ".venv-peers/bin/python")
CONTESTANTS = ROOT / "bench/contestants"
US = "twins run"


@dataclass(frozen=True)
class Contestant:
    """A name and a command with places for ``{input}``, ``{output}``, ``{endpoint}`` and ``{count}``."""

    name: str
    command: tuple[str, ...]

    def fill(self, values: Mapping[str, object]) -> list[str]:
        return [part.format_map(values) for part in self.command]


@dataclass(frozen=True)
class Cost:
    """What an image costs in one round, and what starting does."""

    images_per_second: float
    cpu_milliseconds: float
    start_seconds: float
    peak_mebibytes: float


def contestants(folder: Path, null: bool) -> Iterator[Contestant]:
    ours = models.null(folder / "null") if null else models.twins(folder / "twins")
    graph = "null" if null else str(ours / "model.onnx")
    for backend in ("onnxruntime",) if null else ("openvino", "onnxruntime"):
        yield Contestant(f"{US}, {backend}", _twins_run(ours, backend))
        if not null:
            yield Contestant(f"engine alone, {backend}", _script(OURS, "engine_alone", "{count}", str(ours), backend))
    program = "null" if null else str(models.paddleclas(folder / "paddleclas"))
    for batch in ("1", "16"):
        yield Contestant(f"PaddleClas predict_cls, batch {batch}", _peer("paddleclas_loop", program, batch))
    yield Contestant("Ray Data", _peer("ray_data", graph, "16"))
    yield Contestant("Daft", _peer("daft_frame", graph, "16"))


def _twins_run(model: Path, backend: str) -> tuple[str, ...]:
    options = ("--model", models.NETWORK, "--weights", str(model), "--backend", backend, "--endpoint", "{endpoint}")
    return (OURS, "-W", "ignore", "-m", "twins_cli.main", "run", *options, "s3://{input}", "s3://{output}")


def _peer(script: str, model: str, batch: str) -> tuple[str, ...]:
    options = ("--endpoint", "{endpoint}", "--model", model, "--batch-size", batch)
    return _script(PEERS, script, "{input}", "{output}", *options)


def _script(python: str, name: str, *arguments: str) -> tuple[str, ...]:
    return (python, "-W", "ignore", str(CONTESTANTS / f"{name}.py"), *arguments)


@contextmanager
def running(server: S3Server) -> Iterator[S3Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def fill_bucket(server: S3Server, counts: Sequence[int]) -> None:
    """``in/<count>/`` holds that many pictures, for each of ``counts``."""
    store = server.client
    store.create_bucket(Bucket="bench")
    different = list(pictures.jpegs(64))
    for count in counts:
        for number, data in zip(range(count), itertools.cycle(different), strict=False):
            store.put_object(Bucket="bench", Key=f"in/{count}/{number:06d}.jpg", Body=data)


def run_round(number: int, entrants: Sequence[Contestant], server: S3Server, few: int, many: int) -> dict[str, Cost]:
    """One round; the order turns, so that nobody always follows the same one."""
    turned = [*entrants[number % len(entrants) :], *entrants[: number % len(entrants)]]
    return {
        entrant.name: cost(
            _usage(entrant, server, few, f"{number}/few"), _usage(entrant, server, many, f"{number}/many"), many - few
        )
        for entrant in track(turned, description=f"round {number + 1}", console=Console(stderr=True))
    }


def _usage(entrant: Contestant, server: S3Server, count: int, run: str) -> measure.Usage:
    output = f"bench/out/{entrant.name.replace(' ', '-').replace(',', '')}/{run}"
    places = {"input": f"bench/in/{count}/", "output": output, "endpoint": server.endpoint, "count": count}
    return measure.run(entrant.fill(places), os.environ)


def cost(short: measure.Usage, long: measure.Usage, images: int) -> Cost:
    """The marginal cost of ``images`` more images."""
    return Cost(
        images_per_second=images / (long.wall_seconds - short.wall_seconds),
        cpu_milliseconds=1000 * (long.cpu_seconds - short.cpu_seconds) / images,
        start_seconds=short.wall_seconds,
        peak_mebibytes=long.peak_bytes / 2**20,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--few", type=int, default=32)
    parser.add_argument("--many", type=int, default=256)
    parser.add_argument("--null", action="store_true", help="a model that costs nothing")
    asked = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1"}
    with tempfile.TemporaryDirectory() as folder, running(S3Server(Path(folder, "s3"))) as server:
        fill_bucket(server, (asked.few, asked.many))
        entrants = list(contestants(Path(folder), asked.null))
        for entrant in entrants:  # so that no model is copied or compiled, and no file read, for the first time
            _usage(entrant, server, asked.few, "warm")
        rounds = [run_round(number, entrants, server, asked.few, asked.many) for number in range(asked.rounds)]
    results.show(
        "end_to_end_null" if asked.null else "end_to_end",
        rounds,
        reference=f"{US}, {'onnxruntime' if asked.null else 'openvino'}",
    )


if __name__ == "__main__":
    main()
