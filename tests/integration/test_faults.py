"""Nothing lost, nothing twice: processes killed at every write and at random, on a network and a server that fail.

Whatever happened, the rows after the last rerun are those of an undisturbed run, and the manifest agrees.
"""

import json
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count, cycle, takewhile
from pathlib import Path

import fault_proxy
import photographs
import pyarrow as pa
import pytest
import steps
import tiny_model
from fault_proxy import Fault, FaultProxy, Request, Server
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server
from steps import Step

from twins_worker import parts, plan
from twins_worker.exits import Exit
from twins_worker.settings import Job, Storage
from twins_worker.storage import open_place

PICTURES, PER_SHARD = 1140, 1100
"""Two shards, the first of two parts: of 1,024 images, and of the rest."""
FEW, FEW_PER_SHARD = 45, 15
"""The first few of them, in three shards of a part, where a step is run time and again."""

Disturbed = Callable[[Step, int], bool]
"""Runs a step for the n-th time; whether it was killed. It must not end badly by itself."""


@dataclass(frozen=True)
class World:
    """Pictures, a model, and what an undisturbed run makes of them."""

    source: str
    outputs: str
    weights: Path
    storage: Storage
    undisturbed: pa.Table
    seconds: Mapping[tuple[str, int | None], float]
    """That each step's process took for it, by name and shard."""

    def job(self, name: str, storage: Storage | None = None) -> Job:
        output = f"{self.outputs}{name}"
        return steps.job(self.source, output, self.weights, storage or self.storage, images_per_shard=PER_SHARD)

    def job_of_few(self, name: str, storage: Storage | None = None) -> Job:
        whole = self.job(name, storage)
        few = whole.input.model_copy(update={"limit": FEW})
        return whole.model_copy(update={"input": few, "images_per_shard": FEW_PER_SHARD})


def world(source: str, outputs: str, folder: Path, storage: Storage) -> World:
    place = open_place(source, storage)
    for name, data in photographs.some(PICTURES).items():
        place.put(name, data)
    begun = World(source, outputs, tiny_model.write(folder / "model"), storage, pa.table({}), {})
    asked, seconds = begun.job("undisturbed"), {}
    for step in each_step(asked):
        start = time.monotonic()
        assert step.run(folder / "message").code == Exit.DONE
        seconds[step.name, step.shard] = time.monotonic() - start
    return replace(begun, undisturbed=steps.rows(asked), seconds=seconds)


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        patch.setenv("TWINS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("on-disk")
    return world(f"{folder}/in/", f"{folder}/", folder, Storage())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def on_s3(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    bucket = f"s3://{server.create_bucket()}/"
    return world(f"{bucket}in/", bucket, tmp_path_factory.mktemp("on-s3"), server.storage)


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    proxy = FaultProxy(server.port)
    yield proxy
    proxy.close()


def through(proxy: FaultProxy, cache: str) -> Storage:
    """Storage behind the proxy, with a cache of models of the test's own."""
    return Storage(endpoint=proxy.endpoint, region="us-east-1", cache=cache)


def each_step(asked: Job) -> Iterator[Step]:
    """As a job has them; the shards follow from the plan."""
    yield Step(asked, "plan")
    yield Step(asked, "prepare")
    planned = plan.read(open_place(asked.output.uri, asked.storage), asked)
    yield from (Step(asked, "infer", shard) for shard in range(planned.shards))
    yield Step(asked, "commit")


def run_through(asked: Job, disturbed: Disturbed) -> Counter[str]:
    """Each step again and again until it ends by itself; how often it was killed."""
    kills: Counter[str] = Counter()
    for step in each_step(asked):
        for attempt in count(1):
            if not disturbed(step, attempt):
                break
            kills[step.name] += 1
    return kills


def assert_nothing_lost_nothing_twice(asked: Job, undisturbed: pa.Table) -> None:
    output = open_place(asked.output.uri, asked.storage)
    planned = plan.read(output, asked)
    files = {file.key: file for file in output.list("data/")}
    rows = steps.rows(asked)
    assert list(files) == list(parts.planned(planned.images, planned.images_per_shard, planned.images_per_part))
    assert rows.equals(undisturbed)
    assert len(set(rows["uri"].to_pylist())) == len(rows)
    manifest = json.loads(output.get("_manifest.json"))
    assert {file["path"]: (file["bytes"], file["etag"]) for file in manifest["files"]} == {
        key: (file.bytes, file.etag) for key, file in files.items()
    }
    assert manifest["rows"] == manifest["images"]["planned"] == len(undisturbed)
    assert output.get("_SUCCESS") == b""


def ended_well(process: "subprocess.Popen[str]") -> bool:
    """Whether it did so by itself; else it was killed."""
    _, log = process.communicate()
    assert process.returncode in {Exit.DONE, -9}, log
    return process.returncode == Exit.DONE


WRITES = {"plan": 4, "prepare": 1, "infer": 3, "commit": 3}
"""Three shards and ``plan.json``; ``prepared.json``; a part a shard; the report, the manifest and ``_SUCCESS``."""
STEPS_A_WRITE = 3
"""Of ``killed_at_write``."""
STEPS_OF_THE_CACHE = 3
"""The model's two files are opened, and their folder is given its name."""


def killed_at_write(step: Step, nth: int, folder: str, message: Path) -> bool:
    """Whether the step wrote so often to ``folder`` that it was killed."""
    script = str(Path(__file__).with_name("killed_at_write.py"))
    return not ended_well(step.start(message, python=(script, str(nth), folder)))


def test_killed_at_every_write_to_a_folder(on_disk: World, tmp_path: Path) -> None:
    asked = on_disk.job_of_few("every-write")
    kills = run_through(asked, lambda step, nth: killed_at_write(step, nth, asked.output.uri, tmp_path / "message"))
    assert kills == {step: STEPS_A_WRITE * writes for step, writes in WRITES.items()}
    assert_nothing_lost_nothing_twice(asked, on_disk.undisturbed.slice(0, FEW))


def test_killed_at_every_write_to_the_cache_of_models(
    on_disk: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's; that in a store is written to below."""
    monkeypatch.setenv("TWINS_CACHE", str(tmp_path / "cache"))
    asked = on_disk.job_of_few("cache")
    prepare, infer = Step(asked, "prepare"), Step(asked, "infer", 0)
    kills = takewhile(lambda nth: killed_at_write(prepare, nth, f"{tmp_path}/cache", tmp_path / "message"), count(1))
    assert len(list(kills)) == STEPS_OF_THE_CACHE
    assert Step(asked, "plan").run(tmp_path / "message").code == Exit.DONE
    assert infer.run(tmp_path / "message").code == Exit.DONE
    assert steps.rows(asked).equals(on_disk.undisturbed.slice(0, FEW_PER_SHARD))


WRITE_FAULTS = (fault_proxy.resets, fault_proxy.halves, fault_proxy.forgets)
"""The server hears nothing of a write, has half of it, has done it."""


@dataclass
class KillingProxy:
    """Kills a process at a write of each key, once for each of ``WRITE_FAULTS``, which it does to that write."""

    proxy: FaultProxy
    killed_at: Counter[str] = field(default_factory=Counter)

    def disturbed(self, step: Step, message: Path) -> bool:
        process = step.start(message)

        def fault(request: Request, server: Server) -> bytes:
            kills = self.killed_at[request.target]
            if not request.writes or kills == len(WRITE_FAULTS):
                return server.answers(request)
            self.killed_at[request.target] += 1
            try:
                return WRITE_FAULTS[kills](request, server)
            finally:
                process.kill()

        self.proxy.fault = fault
        return not ended_well(process)


def test_killed_at_every_write_to_s3(on_s3: World, proxy: FaultProxy, tmp_path: Path) -> None:
    storage = through(proxy, f"{on_s3.outputs}every-write-cache/")
    asked, killing = on_s3.job_of_few("every-write", storage), KillingProxy(proxy)
    run_through(asked, lambda step, _: killing.disturbed(step, tmp_path / "message"))
    proxy.fault = fault_proxy.passes
    bucket = f"/{on_s3.outputs.removeprefix('s3://')}"
    written = {f"{bucket}{file.key}" for file in open_place(on_s3.outputs, on_s3.storage).list("every-write")}
    assert killing.killed_at == dict.fromkeys(written, len(WRITE_FAULTS))
    assert_nothing_lost_nothing_twice(asked, on_s3.undisturbed.slice(0, FEW))


KILLS_A_STEP = 2
FEEDING_THREADS = 16
"""A step has fewer, but while it fetches images for an engine."""


@dataclass
class RandomKills:
    """Kills the first runs of each step at moments drawn from the time that it takes, and counts what it hit.

    A shard's first run is killed in the middle: it has images on their way, and has not written all of its parts.
    """

    world: World
    dice: random.Random
    in_the_middle: int = 0
    """Of an inference."""

    def disturbed(self, step: Step, attempt: int, message: Path) -> bool:
        process = step.start(message)
        if attempt <= KILLS_A_STEP:
            self.kill(process, step, in_the_middle=attempt == 1)
        return not ended_well(process)

    def kill(self, process: "subprocess.Popen[str]", step: Step, *, in_the_middle: bool) -> None:
        seconds = self.world.seconds[step.name, step.shard] * self.dice.random()
        if in_the_middle and step.name == "infer":
            while process.poll() is None and not _feeds(process):
                time.sleep(0.005)
            seconds /= 4
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        self.in_the_middle += step.name == "infer" and _feeds(process)
        process.kill()


def _feeds(process: "subprocess.Popen[str]") -> bool:
    """Whether its pipeline runs, by the threads that fetch."""
    try:
        return len(list(Path(f"/proc/{process.pid}/task").iterdir())) > FEEDING_THREADS
    except FileNotFoundError:
        return False


def test_killed_at_random_moments_on_a_folder(on_disk: World, tmp_path: Path) -> None:
    asked, killing = on_disk.job("random"), RandomKills(on_disk, random.Random(1))
    kills = run_through(asked, lambda step, attempt: killing.disturbed(step, attempt, tmp_path / "message"))
    assert killing.in_the_middle > 0
    assert kills["infer"] > 0
    assert_nothing_lost_nothing_twice(asked, on_disk.undisturbed)


BAD_NETWORK = (
    fault_proxy.refuses,
    fault_proxy.resets,
    fault_proxy.halves,
    fault_proxy.forgets,
    fault_proxy.cuts,
    fault_proxy.dawdles,
)


class BadNetwork:
    """Does something bad to a ``share`` of the requests, one kind after the other."""

    def __init__(self, seed: int, share: float) -> None:
        self._dice, self._share, self._kinds = random.Random(seed), share, cycle(BAD_NETWORK)
        self.served: Counter[Fault] = Counter()

    def __call__(self, request: Request, server: Server) -> bytes:
        fault = next(self._kinds) if self._dice.random() < self._share else fault_proxy.passes
        self.served[fault] += 1
        return fault(request, server)


def test_a_bad_network_is_ridden_out(on_s3: World, proxy: FaultProxy, tmp_path: Path) -> None:
    asked = on_s3.job("bad-network", through(proxy, f"{on_s3.outputs}bad-network-cache/"))
    network = proxy.fault = BadNetwork(seed=3, share=0.05)
    run_through(asked, lambda step, _: not ended_well(step.start(tmp_path / "message")))
    proxy.fault = fault_proxy.passes
    assert network.served.keys() >= set(BAD_NETWORK)
    assert_nothing_lost_nothing_twice(asked, on_s3.undisturbed)


def test_killed_at_random_moments_on_a_bad_network(on_s3: World, proxy: FaultProxy, tmp_path: Path) -> None:
    asked = on_s3.job("random", through(proxy, f"{on_s3.outputs}random-cache/"))
    killing, network = RandomKills(on_s3, random.Random(2)), BadNetwork(seed=2, share=0.03)
    proxy.fault = network
    kills = run_through(asked, lambda step, attempt: killing.disturbed(step, attempt, tmp_path / "message"))
    proxy.fault = fault_proxy.passes
    assert killing.in_the_middle > 0
    assert kills["infer"] > 0
    assert network.served.keys() >= set(BAD_NETWORK)
    assert_nothing_lost_nothing_twice(asked, on_s3.undisturbed)


def test_a_server_that_is_killed_and_comes_back(
    on_s3: World, server: S3Server, proxy: FaultProxy, tmp_path: Path
) -> None:
    """At a request of each step, in the middle of its work."""
    asked = on_s3.job("restarts", through(proxy, f"{on_s3.outputs}restarts-cache/"))
    restarts = []

    def disturbed(step: Step, _: int) -> bool:
        due = {"plan": 3, "prepare": 4, "infer": 40, "commit": 5}[step.name]
        requests = count(1)
        lock = threading.Lock()

        def fault(request: Request, behind: Server) -> bytes:
            with lock:
                if next(requests) == due:
                    server.kill()
                    time.sleep(0.5)
                    server.start()
                    restarts.append(step.name)
            return behind.answers(request)

        proxy.fault = fault
        return not ended_well(step.start(tmp_path / "message"))

    run_through(asked, disturbed)
    proxy.fault = fault_proxy.passes
    assert Counter(restarts) == {"plan": 1, "prepare": 1, "infer": 2, "commit": 1}
    assert_nothing_lost_nothing_twice(asked, on_s3.undisturbed)


def test_two_workers_of_every_shard_one_of_them_killed(on_disk: World, tmp_path: Path) -> None:
    asked, killing, killed = on_disk.job("twice"), RandomKills(on_disk, random.Random(5)), Counter[str]()

    def disturbed(step: Step, _: int) -> bool:
        one, other = step.start(tmp_path / "one"), step.start(tmp_path / "other")
        killing.kill(one, step, in_the_middle=True)
        ended = ended_well(other) | ended_well(one)
        killed[step.name] += one.returncode != Exit.DONE
        return not ended

    assert not run_through(asked, disturbed), "the other one ends by itself"
    assert killing.in_the_middle > 0
    assert killed["infer"] > 0
    assert_nothing_lost_nothing_twice(asked, on_disk.undisturbed)


def test_sigterm_ends_a_worker_soon_and_keeps_its_parts(on_s3: World, proxy: FaultProxy, tmp_path: Path) -> None:
    asked = on_s3.job("sigterm", through(proxy, f"{on_s3.outputs}sigterm-cache/"))
    shard = Step(asked, "infer", 0)
    for step in (Step(asked, "plan"), Step(asked, "prepare")):
        assert step.run(tmp_path / "message").code == Exit.DONE
    fetched, written = count(1), threading.Event()

    def stalls_after_the_first_part(request: Request, server: Server) -> bytes:
        if "/in/" in request.target and next(fetched) > 1050:
            time.sleep(30)
        answer = server.answers(request)
        if request.writes:
            written.set()
        return answer

    proxy.fault = stalls_after_the_first_part
    process = shard.start(tmp_path / "message")
    assert written.wait(60)
    process.terminate()
    _, log = process.communicate(timeout=20)
    told = json.loads((tmp_path / "message").read_bytes())
    assert (process.returncode, told["reason"]) == (Exit.TOLD_TO_STOP, "ToldToStop"), log
    proxy.fault = fault_proxy.passes
    again = shard.run(tmp_path / "message")
    assert (again.told["partsFound"], again.told["partsWritten"]) == (1, 1)
    for step in (Step(asked, "infer", 1), Step(asked, "commit")):
        assert step.run(tmp_path / "message").code == Exit.DONE
    assert_nothing_lost_nothing_twice(asked, on_s3.undisturbed)


def test_a_storage_that_stays_away_is_worth_another_try(on_s3: World, proxy: FaultProxy, tmp_path: Path) -> None:
    asked = on_s3.job("away", through(proxy, f"{on_s3.outputs}away-cache/"))
    for step in (Step(asked, "plan"), Step(asked, "prepare")):
        assert step.run(tmp_path / "message").code == Exit.DONE
    proxy.fault = fault_proxy.refuses
    ended = Step(asked, "infer", 0).run(tmp_path / "message")
    assert (ended.code, ended.told["reason"]) == (Exit.TRY_AGAIN, "Unavailable")
    assert "Traceback" not in ended.log
