"""Each verb of the command, as a person calls it."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from command import MODEL, SMALL, Twins, jpeg, put
from moody_http import Mood, moody_server

HEAVY = ("paddle", "cv2", "pyarrow", "numpy", "pydantic", "jsonschema", "obstore", "boto3")


def test_help_imports_nothing_heavy() -> None:
    """So that it is there at once."""
    code = f"import sys, twins_cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"


@pytest.mark.parametrize(
    "verb",
    ["run", "predict", "validate", "plan", "models", "weights", "export", "eval", "bench latency", "bench throughput"],
)
def test_help_has_an_example(twins: Twins, verb: str) -> None:
    ran = twins(*verb.split(), "--help")
    assert (ran.returncode, f"twins {verb} " in ran.stdout.replace("\n", " ")) == (0, True)


def test_predict_ranks_the_classes_of_each_picture(twins: Twins, tmp_path: Path) -> None:
    put(tmp_path, {"one.jpg": jpeg(1), "a b.jpg": jpeg(2), "text.jpg": b"no picture"})
    ran = twins("predict", *MODEL, "--output", "json", "one.jpg", "text.jpg", "a b.jpg", "nowhere.jpg")
    told = json.loads(ran.stdout)
    assert [(row["picture"], row["rank"]) for row in told] == [
        *(("one.jpg", rank) for rank in range(1, 6)),
        ("text.jpg", None),
        *(("a b.jpg", rank) for rank in range(1, 6)),
        ("nowhere.jpg", None),
    ]
    assert [told[5]["label"].split(":")[0], told[-1]["label"].split(":")[0]] == ["(not_an_image", "(not_found"]
    assert all(better["score"] >= worse["score"] for better, worse in pairwise(told[:5]))
    assert all(row["label"] for row in told)
    assert (ran.returncode, twins("predict", *MODEL, "one.jpg").returncode) == (65, 0)


def test_a_single_picture_that_may_not_be_read_is_a_row(twins: Twins) -> None:
    with moody_server(b"") as server:
        server.moods = [Mood(status=403)] * 9
        ran = twins("predict", *MODEL, "--output", "json", f"{server.url}/one.jpg")
    assert ran.returncode == 65, ran.stderr
    assert [row["label"].split(":")[0] for row in json.loads(ran.stdout)] == ["(forbidden"]


def test_plan_tells_and_writes_nothing(twins: Twins, tmp_path: Path) -> None:
    put(tmp_path / "pictures", {f"{number}.jpg": jpeg(number) for number in range(7)} | {"thumbs/1.jpg": jpeg(0)})
    before = sorted(tmp_path.rglob("*"))
    arguments = (*SMALL, "--exclude", "thumbs/*", "--images-per-shard", 3, "pictures", "out")
    told = json.loads(twins("plan", *arguments, "--output", "json").stdout)
    assert sorted(tmp_path.rglob("*")) == before
    expected = {"images": 7, "shards": 3, "imagesPerShard": 3, "imagesPerPart": 3, "flops": 19_600_000_000}
    assert {name: told[name] for name in expected} == expected
    assert sum(told["passedOver"].values()) == 1
    assert told["bytes"] == sum(len(jpeg(number)) for number in range(7))
    assert "splits  shards: 3, of 3 in parts of 3" in twins("plan", *arguments).stdout


def test_validate_judges_files_and_changes(twins: Twins, tmp_path: Path) -> None:
    job = (Path(__file__).parents[2] / "examples/minimal.yaml").read_text()
    put(tmp_path, {"now.yaml": job.encode(), "then.yaml": job.replace("alt_gvt_small", "pcpvt_base").encode()})
    assert (twins("validate", "-f", "now.yaml").stdout, twins("validate", "-f", "then.yaml").returncode) == (
        "holiday: good\n",
        0,
    )
    changed = twins("validate", "-f", "then.yaml", "--replacing", "now.yaml", "--output", "json")
    (judged,) = json.loads(changed.stdout)
    assert (changed.returncode, [problem["field"] for problem in judged["problems"]]) == (78, ["spec.model"])


def test_models_computes_what_is_published(twins: Twins) -> None:
    told = json.loads(twins("models", "--output", "json").stdout)
    sizes = told["Size"]
    assert len(sizes) == 6
    assert all(abs(float(row["params (M)"]) - float(row["published"])) <= 0.11 for row in sizes)
    assert all(abs(float(row["FLOPs (G)"]) - float(row["published FLOPs"])) <= 0.11 for row in sizes)
    assert [row["batch 1 (ms)"] for row in told["Latency, as published"]] == [
        "5.74",
        "8.44",
        "16.47",
        "4.93",
        "7.48",
        "9.28",
    ]


def test_weights_are_read_and_said_to_be_where(twins: Twins, tmp_path: Path) -> None:
    put(tmp_path, {"broken.pdparams": b"nothing"})
    drawn = json.loads(twins("weights", "--weights", "random:0", "alt_gvt_small", "--output", "json").stdout)
    assert [(row["weights"], row["file"], len(row["SHA-256"]), row["which is"]) for row in drawn] == [
        ("random:0", "drawn from the seed", 64, "recorded")
    ]
    broken = twins("weights", "--weights", "broken.pdparams", "alt_gvt_small")
    assert (broken.returncode, "Traceback" in broken.stderr) == (78, False)
    assert "broken.pdparams" in broken.stderr


def test_export_leaves_files_that_engines_load(twins: Twins, tmp_path: Path) -> None:
    ran = twins("export", "--weights", "random:0", "--output", "json", "alt_gvt_small", "exported")
    assert max(json.loads(ran.stdout)["difference"].values()) < 1e-4
    assert {file.name for file in (tmp_path / "exported").iterdir()} == {
        "export.json",
        "model.json",
        "model.onnx",
        "model.pdiparams",
    }
    put(tmp_path, {"one.jpg": jpeg(1)})
    given = twins("predict", "--weights", "exported", "--backend", "onnxruntime", "one.jpg")
    assert given.stdout == twins("predict", *MODEL, "one.jpg").stdout, given.stderr


def test_eval_counts_what_is_right(twins: Twins, tmp_path: Path) -> None:
    """Over a list of classes that predict itself gave, over one that is wrong, and over folders."""
    pictures = {f"class {number % 2}/{number}.jpg": jpeg(number) for number in range(6)}
    put(tmp_path / "labelled", {**pictures, "class 1/text.jpg": b"no picture"})
    ran = twins("predict", *MODEL, "--top-k", 2, "--output", "json", *(f"labelled/{name}" for name in pictures))
    best = [row for row in json.loads(ran.stdout) if row["rank"] == 1]
    second = [row for row in json.loads(ran.stdout) if row["rank"] == 2]
    right, near = ("".join(f"{row['picture']} {row['class']}\n" for row in ranked) for ranked in (best, second))
    put(tmp_path, {"right.txt": right.encode(), "near.txt": near.encode()})

    def told(source: str) -> dict[str, float]:
        return {
            name: value
            for name, value in json.loads(twins("eval", *MODEL, "--output", "json", source).stdout).items()
            if name in ("images", "failed", "top1", "top5")
        }

    assert told("right.txt") == {"images": 6, "failed": 0, "top1": 1.0, "top5": 1.0}
    assert told("near.txt") == {"images": 6, "failed": 0, "top1": 0.0, "top5": 1.0}
    assert {name: told("labelled")[name] for name in ("images", "failed")} == {"images": 6, "failed": 1}


def test_bench_latency_stands_beside_the_published(twins: Twins) -> None:
    arguments = ("--backend", "onnxruntime", "--seconds", 0, "--output", "json", "alt_gvt_small")
    (row,) = json.loads(twins("bench", "latency", *arguments).stdout)["rows"]
    assert [row[f"V100, batch {batch} (ms)"] for batch in (1, 4, 8)] == ["4.93", "9.01", "10.02"]
    assert all(float(row[f"here, batch {batch} (ms)"]) > 0 for batch in (1, 4, 8))


def test_bench_throughput_stands_beside_the_engine(twins: Twins, tmp_path: Path) -> None:
    put(tmp_path / "pictures", {f"{number}.jpg": jpeg(number) for number in range(8)})
    ran = twins("bench", "throughput", "--backend", "onnxruntime", "--seconds", 1, "--output", "json", "pictures")
    told = json.loads(ran.stdout)
    assert told["endToEnd"]["images"] == 8
    assert told["engine"]["images"] > 0
    assert 0 < told["ratioByCpuTime"] < 2
