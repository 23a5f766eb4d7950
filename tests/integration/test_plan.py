"""The plan step: what it writes, that it is the same every time, and that no kill and no second planner harms it."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest
from s3_server import S3Server

from twins.errors import RequestError
from twins_worker import plan, schema
from twins_worker.plan import Plan
from twins_worker.settings import Input, Job, Model, Output, Storage
from twins_worker.storage import Place, open_place
from twins_worker.storage.bucket import Bucket
from twins_worker.storage.folder import Folder


@dataclass(frozen=True)
class World:
    """Where images and output lie: ``in/`` and ``out/`` below ``uri``."""

    uri: str
    storage: Storage
    whole: Place

    def job(self, **asked: object) -> Job:
        fields = {"input": Input(uri=f"{self.uri}in/"), "output": Output(uri=f"{self.uri}out/"), **asked}
        return Job(model=Model(name="alt_gvt_small"), storage=self.storage, **fields)

    def place(self, name: str) -> Place:
        return self.whole.below(name)

    def add(self, *names: str) -> None:
        for name in names:
            self.place("in").put(name, name.encode())

    def output(self) -> dict[str, str]:
        """Every object of the output, by the digest of its content."""
        place = self.place("out")
        return {found.key: hashlib.sha256(place.get(found.key)).hexdigest() for found in place.list()}


@pytest.fixture(params=["folder", "s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    uri, storage = f"{tmp_path}/", Storage()
    if request.param == "s3":
        uri, server = request.getfixturevalue("bucket"), request.getfixturevalue("s3_server")
        storage = server.storage
    return World(uri, storage, open_place(uri, storage))


def planner(job: Job, *, waits: bool = False) -> "subprocess.Popen[str]":
    """A planner in a process of its own. One that ``waits`` says how many it listed, then wants a line of input."""
    arguments = [sys.executable, "-c", PLANNER, job.model_dump_json(), "waits" if waits else ""]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


PLANNER = """
import sys
from twins_worker import plan, settings

def waits(images):
    print(images, flush=True)
    sys.stdin.readline()

job = settings.Job.model_validate_json(sys.argv[1])
print(plan.run(job, on_listed=waits if sys.argv[2] else lambda _: None).model_dump_json())
"""


def remove(place: Place) -> None:
    """Everything there."""
    if isinstance(place, Folder):
        shutil.rmtree(place.path)
    if isinstance(place, Bucket):
        obstore.delete(place.store, [place.prefix + found.key for found in place.list()])


def uris(world: World, planned: Plan) -> list[str]:
    """Of all rows of a plan."""
    shards = [plan.rows(world.place("out"), planned, shard) for shard in range(planned.shards)]
    return [uri for shard in shards for uri in shard["uri"].to_pylist()]


NAMES = [f"{number:02}.jpg" for number in range(25)]


def test_a_plan_has_every_image_once_in_order(world: World) -> None:
    world.add(*NAMES, ".hidden.jpg")
    job, counts = world.job(images_per_shard=10), []
    planned = plan.run(job, on_listed=counts.append)
    shards = [plan.rows(world.place("out"), planned, shard) for shard in range(planned.shards)]
    assert [shard.num_rows for shard in shards] == [10, 10, 5]
    assert all(shard.schema.equals(schema.PLAN) for shard in shards)
    assert [uri for shard in shards for uri in shard["uri"].to_pylist()] == [world.place("in").uri(n) for n in NAMES]
    assert counts == [25]
    folder = f"_plan/{planned.plan}"
    assert list(world.output()) == [*(f"{folder}/shard-{shard:05}.parquet" for shard in range(3)), "_plan/plan.json"]
    assert json.loads(world.place("out").get("_plan/plan.json")) == {
        "version": 1,
        "job": job.planned_digest,
        "plan": planned.plan,
        "images": 25,
        "skipped": 1,
        "imagesPerShard": 10,
        "imagesPerPart": 10,
        "shards": 3,
        "format": "images",
    }
    assert plan.read(world.place("out"), job) == planned


def test_the_same_listing_gives_the_same_plan_to_the_byte(world: World) -> None:
    world.add(*NAMES)
    planned, first = plan.run(world.job()), world.output()
    remove(world.place("out"))
    assert world.output() == {}
    assert plan.run(world.job()) == planned
    assert world.output() == first


def test_a_plan_that_is_there_holds_whatever_is_listed_now(world: World) -> None:
    world.add(*NAMES)
    planned, before = plan.run(world.job()), world.output()
    world.add("99.jpg")
    assert plan.run(world.job()) == planned
    assert world.output() == before


def test_another_jobs_output_is_refused(world: World) -> None:
    world.add(*NAMES)
    plan.run(world.job())
    with pytest.raises(RequestError, match=r"output.uri: .* holds another job's predictions. Choose an empty prefix"):
        plan.run(world.job(input=Input(uri=f"{world.uri}in/", limit=3)))


@pytest.mark.parametrize("written", [b"", b"{}", b'{"version": 2, "job": "another"}'])
def test_a_plan_that_is_none_of_ours_is_refused(world: World, written: bytes) -> None:
    world.place("out").put("_plan/plan.json", written)
    with pytest.raises(RequestError, match="has a plan of another version"):
        plan.run(world.job())


def test_an_old_output_is_refused_before_anything_is_listed(world: World) -> None:
    world.place("out").put("data/part-00000-000.parquet", b"of another job")
    counts = list[int]()
    with pytest.raises(RequestError, match=r"output.uri: .* has files in data/ that are of no plan there. Choose an"):
        plan.run(world.job(), on_listed=counts.append)
    assert counts == []
    assert list(world.output()) == ["data/part-00000-000.parquet"]


def test_an_output_without_a_plan_says_what_to_do(world: World) -> None:
    with pytest.raises(RequestError, match=r"has no plan\. Run the step plan first"):
        plan.read(world.place("out"), world.job())


@pytest.mark.parametrize(
    ("names", "asked", "problem"),
    [
        pytest.param([], {}, "has no image to predict: nothing is there", id="nothing"),
        pytest.param(
            [".a", "_b/c", "d.txt"],
            {"include": ["*.jpg"]},
            r"has no image to predict: 2 hidden \(.*\), 1 left out by input.include",
            id="nothing that counts",
        ),
    ],
)
def test_an_input_without_images_is_refused(
    world: World, names: list[str], asked: dict[str, object], problem: str
) -> None:
    world.add(*names)
    with pytest.raises(RequestError, match=f"input.uri: .* {problem}"):
        plan.run(world.job(input=Input(uri=f"{world.uri}in/", **asked)))
    assert world.output() == {}


def test_an_output_that_cannot_be_used_is_refused(s3_server: S3Server, s3_credentials: None, tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    job = Job(
        model=Model(name="alt_gvt_small"),
        input=Input(uri=str(tmp_path)),
        output=Output(uri="s3://missing/out/"),
        storage=s3_server.storage,
    )
    with pytest.raises(RequestError, match=r"output.uri: 's3://missing/out/' cannot be used: .*NoSuchBucket"):
        plan.run(job)


@pytest.mark.parametrize("objects", [0, 1, 4, 8, 9])
def test_a_planner_that_is_killed_leaves_what_the_next_one_completes(world: World, objects: int) -> None:
    world.add(*NAMES)
    job = world.job(images_per_shard=3)
    killed = planner(job)
    while len(world.output()) < objects and killed.poll() is None:
        time.sleep(0.001)
    killed.kill()
    killed.communicate()
    left = world.output()
    planned = plan.run(job)
    assert planned.shards == 9
    assert len(world.output()) == planned.shards + 1
    assert left.items() <= world.output().items()
    assert uris(world, planned) == [world.place("in").uri(name) for name in NAMES]


def test_of_two_planners_that_saw_different_listings_one_wins_whole(world: World) -> None:
    world.add(*NAMES)
    job = world.job(images_per_shard=3)
    first = planner(job, waits=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "25\n"
    world.add("99.jpg")
    second = planner(job, waits=True)
    assert second.stdout is not None
    assert second.stdout.readline() == "26\n"
    for process in (first, second):
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = {Plan.model_validate_json(process.communicate()[0]) for process in (first, second)}
    assert told == {plan.read(world.place("out"), job)}
    (planned,) = told
    expected = NAMES if planned.images == 25 else [*NAMES, "99.jpg"]
    assert uris(world, planned) == [world.place("in").uri(name) for name in expected]
