"""`twins run`, as a person calls it: pictures in, Parquet out, read with DuckDB."""

import json
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pytest
import yaml
from command import SMALL, Twins, jpeg, put
from s3_server import S3Server

FILES: Mapping[str, bytes] = {
    **{f"{number:02}.jpg": jpeg(number) for number in range(10)},
    "cut short.jpg": jpeg(0)[:-200],
    "text.jpg": b"not a picture",
}
EXPECTED = [
    *((f"{number:02}.jpg", None) for number in range(10)),
    ("cut short.jpg", "truncated"),
    ("text.jpg", "not_an_image"),
]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return put(tmp_path / "my pictures", FILES)


def rows(output: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    return duckdb.read_parquet(f"{output}/data/*.parquet").order("uri").project(columns).fetchall()


def names(output: Path) -> list[tuple[Any, ...]]:
    return [(unquote(uri.rsplit("/", 1)[-1]), error) for uri, error in rows(output, "uri, error")]


def line(text: str, start: str) -> str:
    (found,) = (line for line in text.splitlines() if line.startswith(start))
    return found.removeprefix(start).strip()


def test_a_folder_becomes_parquet_and_the_end_says_where(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    ran = twins("run", *SMALL, "--max-failed", 2, pictures, "out")
    assert ran.returncode == 0, ran.stderr
    assert names(tmp_path / "out") == EXPECTED
    assert {"10 of 12 classified", "  1 not_an_image", "  1 truncated"} <= set(ran.stdout.splitlines())
    query = line(ran.stdout, "query").removeprefix('duckdb -c "').rstrip(';"')
    assert sum(images for _, images in duckdb.sql(query).fetchall()) == 10
    assert "text.jpg" in Path(line(ran.stdout, "report")).read_text()


def test_the_result_as_json_is_nothing_but_json(twins: Twins, pictures: Path) -> None:
    ran = twins("run", *SMALL, "--max-failed", "50%", "--output", "json", pictures, "out")
    assert json.loads(ran.stdout)["images"] == {"planned": 12, "succeeded": 10, "failed": 2, "skipped": 0}


def test_options_reach_the_rows(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    options = ("--include", "0*", "--exclude", "*3.jpg", "--limit", 5, "--top-k", 2, "--embedding")
    ran = twins("run", *SMALL, *options, pictures, "out")
    assert ran.returncode == 0, ran.stderr
    assert [name for name, _ in names(tmp_path / "out")] == [f"{number:02}.jpg" for number in (0, 1, 2, 4, 5)]
    assert set(rows(tmp_path / "out", "len(top_class_ids), len(top_scores), len(embedding)")) == {(2, 2, 512)}


def test_a_file_says_the_same_as_options(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    spec = {
        "model": {"name": "alt_gvt_small", "weights": "random:0"},
        "input": {"uri": pictures.as_uri(), "exclude": ["*t*.jpg"]},
        "output": {"uri": (tmp_path / "by file").as_uri()},
        "engine": {"backend": "onnxruntime"},
    }
    body = {"apiVersion": "twins.dev/v1alpha1", "kind": "TwinsJob", "metadata": {"name": "holiday"}, "spec": spec}
    put(tmp_path, {"job.yaml": yaml.safe_dump(body).encode()})
    by_file = twins("run", "-f", "job.yaml")
    by_options = twins("run", *SMALL, "--exclude", "*t*.jpg", pictures, "by options")
    assert (by_file.returncode, by_options.returncode) == (0, 0), by_file.stderr + by_options.stderr
    assert rows(tmp_path / "by file") == rows(tmp_path / "by options")


def test_from_bucket_to_bucket(
    twins: Twins, tmp_path: Path, s3_server: S3Server, s3_credentials: None, bucket: str
) -> None:
    name = bucket.removeprefix("s3://").rstrip("/")
    for file, data in FILES.items():
        s3_server.client.put_object(Bucket=name, Key=f"photos/{file}", Body=data)
    storage = ("--endpoint", s3_server.endpoint, "--region", "us-east-1")
    for target in ("first/", "second/"):  # the second finds the model in the bucket's cache
        ran = twins("run", *SMALL, *storage, "--max-failed", 2, f"{bucket}photos/", f"{bucket}{target}")
        assert ran.returncode == 0, ran.stderr
        listed = s3_server.client.list_objects_v2(Bucket=name, Prefix=f"{target}data/")["Contents"]
        keys = [found["Key"] for found in listed]
        put(tmp_path, {key: s3_server.client.get_object(Bucket=name, Key=key)["Body"].read() for key in keys})
        assert names(tmp_path / target) == EXPECTED


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 130, id="Ctrl-C"), pytest.param(signal.SIGTERM, 143, id="told to stop")],
)
def test_a_run_that_is_stopped_says_how_to_go_on_and_does(
    twins: Twins, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    pictures = put(tmp_path / "pictures", {f"{seed:03}.jpg": jpeg(seed) for seed in range(400)})
    arguments = ("run", *SMALL, "--images-per-shard", "4", pictures, "out")
    process = twins.started(*arguments)
    written = tmp_path / "out/data"
    while process.poll() is None and not list(written.glob("*.parquet")):
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate()
    there = {file: file.read_bytes() for file in written.glob("*.parquet")}
    assert (process.returncode, "goes on after it" in said, "Traceback" in said) == (code, True, False), said
    assert 0 < len(there) < 100

    assert twins(*arguments).returncode == 0
    assert {file: file.read_bytes() for file in there} == there
    assert [name for name, _ in names(tmp_path / "out")] == [f"{seed:03}.jpg" for seed in range(400)]


def test_running_again_changes_nothing(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    arguments = ("run", *SMALL, "--exclude", "*t*.jpg", pictures, "out")
    assert twins(*arguments).returncode == 0
    before = {file: file.read_bytes() for file in (tmp_path / "out/data").iterdir()}
    assert twins(*arguments).returncode == 0
    assert {file: file.read_bytes() for file in (tmp_path / "out/data").iterdir()} == before


def test_too_many_failures_fail_the_job_and_leave_the_rows(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    ran = twins("run", *SMALL, pictures, "out")
    assert (ran.returncode, "2 of 12 images failed" in ran.stderr) == (65, True), ran.stderr
    assert names(tmp_path / "out") == EXPECTED
    assert not (tmp_path / "out/_SUCCESS").exists()


def test_what_made_a_job_fail_is_tried_again_from_its_output(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    assert twins("run", *SMALL, pictures, "out").returncode == 65
    again = twins("run", *SMALL, "--max-failed", 2, "--retry-failed-from", "out", pictures, "again")
    assert again.returncode == 0, again.stderr
    assert names(tmp_path / "again") == EXPECTED[10:]


def test_an_output_of_another_job_is_left_alone(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    assert twins("run", *SMALL, "--max-failed", 2, pictures, "out").returncode == 0
    ran = twins("run", *SMALL, "--top-k", 1, "--max-failed", 2, pictures, "out")
    assert (ran.returncode, "holds another job's predictions" in ran.stderr) == (78, True), ran.stderr


OPTIONS = ("run", *SMALL, "in", "out")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["run"], 78, "--model, IN, OUT: is missing. For example: twins run", id="nothing"),
        pytest.param(["run", "--model", "x", "in", "out"], 78, '--model: "x" is not one of', id="no network"),
        pytest.param(["run", *SMALL, "nowhere", "out"], 78, "IN: ", id="no such folder"),
        pytest.param(["run", *SMALL, ".", "out"], 78, "OUT: ", id="an output inside the input"),
        pytest.param(
            [*OPTIONS, "--precision", "fp99"], 78, '--precision: "fp99" is not one of fp32', id="no precision"
        ),
        pytest.param([*OPTIONS, "--precision", "int8"], 78, "Set --backend to openvino", id="not on this engine"),
        pytest.param([*OPTIONS, "--top-k", "0"], 78, '--top-k: "0" is below 1. Write 1 or more.', id="no classes"),
        pytest.param(["run", "--model", "alt_gvt_small", "--weights", "w", "in", "out"], 78, "--weights: ", id="none"),
        pytest.param(["run", "-f", "nowhere.yaml"], 78, '-f: "nowhere.yaml" cannot be read', id="no such file"),
        pytest.param(["run", "-f", "job.yaml", "--top-k", "3"], 78, "cannot go with --top-k", id="a file and options"),
        pytest.param(["run", "--colour", "red"], 2, "No such option", id="an unknown option"),
        pytest.param(["run", "--limit", "many", "in", "out"], 2, "a valid integer", id="a number in words"),
        pytest.param(["validate", "-f", "job.yaml"], 78, "spec.output.uri: ", id="what a cluster refuses"),
        pytest.param(["fly"], 2, "No such command", id="an unknown verb"),
    ],
)
def test_a_mistake_ends_with_a_sentence(
    twins: Twins, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    spec = {"model": {"name": "alt_gvt_small"}, "input": {"uri": "s3://a/"}, "output": {"uri": "file:///tmp/x"}}
    body = {"apiVersion": "twins.dev/v1alpha1", "kind": "TwinsJob", "metadata": {"name": "a"}, "spec": spec}
    put(tmp_path, {"job.yaml": yaml.safe_dump(body).encode(), "in/a.jpg": jpeg(0)})
    ran = twins(*arguments)
    told = ran.stdout + ran.stderr
    assert (ran.returncode, said in told, "Traceback" in told) == (code, True, False), told


def test_since_an_earlier_output_only_what_is_new_is_planned_and_run(twins: Twins, tmp_path: Path) -> None:
    pictures = put(tmp_path / "pictures", {name: data for name, data in FILES.items() if "t" not in name})
    assert twins("run", *SMALL, pictures, "first").returncode == 0
    put(pictures, {"new.jpg": jpeg(99)})
    arguments = (*SMALL, "--since", "first", pictures, "second")
    planned = twins("plan", "--output", "json", *arguments)
    assert planned.returncode == 0, planned.stderr
    assert not (tmp_path / "second").exists()
    ran = twins("run", "--output", "json", *arguments)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(planned.stdout)["images"] == json.loads(ran.stdout)["images"]["planned"] == 1
    assert names(tmp_path / "second") == [("new.jpg", None)]
    another = twins("run", *SMALL, "--weights", "random:1", "--since", "first", "--output", "json", pictures, "third")
    assert json.loads(another.stdout)["images"]["planned"] == 11, another.stderr


def test_a_command_that_is_corrected_goes_on_in_the_same_output(twins: Twins, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wrong = twins("run", "--model", "alt_gvt_small", "--weights", str(tmp_path / "nowhere.pdparams"), pictures, out)
    assert wrong.returncode == 78, wrong.stderr
    corrected = ("--weights", "random:0", "--backend", "openvino", "--max-failed", 2)
    right = twins("run", "--model", "alt_gvt_small", *corrected, pictures, out)
    assert right.returncode == 0, right.stderr
    assert "the labels mean nothing" in right.stderr
    assert "RANDOM WEIGHTS" in (out / "report.html").read_text()
