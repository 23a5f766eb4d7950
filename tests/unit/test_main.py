"""``python -m twins_worker``: what it refuses, with which code and which words."""

import json
from pathlib import Path

import pytest

from twins.errors import RequestError
from twins_worker.__main__ import job_from, main
from twins_worker.exits import Exit
from twins_worker.settings import Input, Job, Model, Output

JOB = Job(model=Model(name="alt_gvt_small"), input=Input(uri="in"), output=Output(uri="out"))


def test_a_job_may_be_json() -> None:
    assert job_from(JOB.model_dump_json(by_alias=True)) == JOB


def test_a_job_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(JOB.model_dump_json(by_alias=True))
    assert job_from(f"@{tmp_path}/job.json") == JOB


@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param("{", "--job", id="no JSON"),
        pytest.param("@/no/such/file", "--job", id="no file"),
        pytest.param('{"model": {"name": "resnet"}}', "model.name", id="no such network"),
        pytest.param(
            JOB.model_dump_json(by_alias=True).replace('"topK":5', '"topK":0'),
            "output.topK",
            id="a number out of bounds",
        ),
    ],
)
def test_what_is_no_job_is_refused_by_field(text: str, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        job_from(text)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["plan", "--job", "{"], "--job", id="no job"),
        pytest.param(["infer", "--job", JOB.model_dump_json(by_alias=True)], "--shard", id="no shard"),
    ],
)
def test_a_refusal_is_told(arguments: list[str], said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main([*arguments, "--termination-log", str(tmp_path / "log")]) == Exit.REQUEST_CANNOT_WORK
    told = json.loads((tmp_path / "log").read_bytes())
    assert (told["step"], told["reason"], told["exitCode"]) == (arguments[0], "RequestCannotWork", 78)
    assert said in told["message"]


@pytest.mark.parametrize("arguments", [[], ["eat"], ["plan"], ["infer", "--job", "{}", "--shard", "two"]])
def test_arguments_that_make_no_sense_cannot_work(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == Exit.REQUEST_CANNOT_WORK
