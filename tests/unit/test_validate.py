"""Reading a TwinsJob: YAML, defaults, verdicts and what they say."""

from pathlib import Path
from typing import Any

import pytest

from twins.errors import RequestError
from twins_cli import documents, resource
from twins_cli.job import job, local_job
from twins_cli.resource import Resource
from twins_worker.settings import Engine, Guard, Input, Job, Model, Output

HEAD = "apiVersion: twins.dev/v1alpha1\nkind: TwinsJob\nmetadata: {name: holiday}\n"
PLACES = "input: {uri: s3://photos/}, output: {uri: s3://predictions/}"
MINIMAL = f"{HEAD}spec: {{model: {{name: alt_gvt_small}}, {PLACES}}}\n"


def one(text: str) -> Resource:
    (found,) = resource.parse(text)
    return found


def spec(fragment: str) -> Resource:
    return one(f"{HEAD}spec: {{model: {{name: alt_gvt_small}}, {PLACES}, {fragment}}}\n")


@pytest.mark.parametrize(
    ("fragment", "field", "problem", "remedy"),
    [
        pytest.param(
            "engine: {precision: fp99}",
            "spec.engine.precision",
            "is not one of fp32, fp16, bf16, int8",
            "Choose one of them.",
            id="nothing like it",
        ),
        pytest.param(
            "engine: {backend: tensorRT}",
            "spec.engine.backend",
            "is not one of auto, tensorrt, cuda, onednn, openvino, onnxruntime",
            "Did you mean tensorrt?",
            id="a value that is near",
        ),
        pytest.param(
            "engine: {precison: fp16}",
            "spec.engine.precison",
            "is no field of a TwinsJob",
            "Did you mean precision?",
            id="a field that is near",
        ),
        pytest.param(
            "credentialsSecret: s3",
            "spec.credentialsSecret",
            "is no field of a TwinsJob",
            "Did you mean spec.storage.credentialsSecret?",
            id="a field of another place",
        ),
        pytest.param(
            "gpu: {hostNetwork: true}",
            "spec.gpu.hostNetwork",
            "is no field of a TwinsJob",
            "There are count, resourceName, products.",
            id="a field of no place",
        ),
        pytest.param("parallelism: 2001", "spec.parallelism", "is above 2000", "Write 2000 or less.", id="too much"),
        pytest.param(
            "parallelism: '4'", "spec.parallelism", "has the wrong type", "Write a whole number.", id="a quoted number"
        ),
        pytest.param(
            "gpu: {}, engine: {backend: onednn}",
            "spec.gpu",
            "the backend onednn computes on the CPU and would leave the GPU idle",
            "Remove spec.gpu or set spec.engine.backend to tensorrt, cuda, onnxruntime or auto.",
            id="one choice against another",
        ),
    ],
)
def test_a_problem_names_the_field_and_the_way_out(fragment: str, field: str, problem: str, remedy: str) -> None:
    found = [(each.field, each.problem, each.remedy) for each in resource.problems(spec(fragment))]
    assert found == [(field, problem, remedy)]


def test_all_problems_are_told_at_once() -> None:
    bad = spec("parallelism: 2001, dryRun: {sample: 0}, gpu: {}, engine: {precision: bf16}")
    assert {each.field for each in resource.problems(bad)} == {
        "spec.parallelism",
        "spec.dryRun.sample",
        "spec.engine.precision",
    }


def test_a_job_without_metadata_lacks_its_name() -> None:
    (job,) = resource.parse("{apiVersion: twins.dev/v1alpha1, kind: TwinsJob, spec: {model: {name: pcpvt_base}}}")
    assert "metadata.name" in {each.field for each in resource.problems(job)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [1", "is not YAML: line 1", id="broken YAML"),
        pytest.param("a: 1\nb: 2\na: 3\n", "line 3, the key 'a' comes twice", id="a key twice"),
        pytest.param("{a: {b: 1, b: 2}}", "the key 'b' comes twice", id="a key twice, deeper"),
        pytest.param("1: a\n", "the key '1' is no text", id="a number for a key"),
        pytest.param("- a\n", "holds something other than an object", id="a list"),
        pytest.param("a: !!python/object/apply:os.system [id]\n", "is not YAML", id="code"),
        pytest.param("", "holds no resource", id="nothing"),
        pytest.param("kind: Pod\n", "is not judged here", id="another kind"),
        pytest.param("apiVersion: twins.dev/v1\nkind: TwinsJob\n", "has no TwinsJob", id="another version"),
    ],
)
def test_what_is_no_resource_is_refused(text: str, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        resource.parse(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("yes", True, id="a word for true, as YAML 1.1 has it"),
        pytest.param("2026-01-01", "2026-01-01", id="a date stays a text"),
        pytest.param("1:30", "1:30", id="a time stays a text"),
        pytest.param("0777", "0777", id="no octal, which would surprise"),
        pytest.param("5.0", 5, id="a whole float is an integer"),
        pytest.param("1e3", 1000, id="an exponent"),
        pytest.param("-1.5", -1.5, id="a fraction"),
        pytest.param("'5'", "5", id="a quoted number stays a text"),
        pytest.param("~", None, id="nothing"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: Any) -> None:
    (document,) = documents.parse(f"a: {text}".encode(), "text")
    assert (document["a"], type(document["a"])) == (value, type(value))


def laughs(levels: int, wide: str) -> str:
    """Aliases of aliases: nine times as much a level."""
    lines = [f"l{level}: &l{level} {wide % ', '.join([f'*l{level - 1}'] * 9)}" for level in range(1, levels)]
    return "\n".join(["l0: &l0 {a: b}", *lines])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(laughs(12, "[%s]"), "too much, with its aliases", id="aliases of aliases"),
        pytest.param(laughs(12, "{<<: [%s]}"), "too much, with its aliases", id="merges of merges"),
        pytest.param("a: &a [*a]", "an alias stands for what it is in", id="an alias within itself"),
        pytest.param("---\na: &a [b]\n---\na: &a {b: *a}", "an alias stands for", id="an alias in itself, later"),
        pytest.param("a: " + "[" * 2000, "more than 64 deep", id="lists without end"),
        pytest.param("- " * 2000 + "a", "more than 64 deep", id="lists without brackets"),
        pytest.param(
            "a: &l0 a\n" + "\n".join(f"l{n}: &l{n} {'[' * 40}*l{n - 1}{']' * 40}" for n in range(1, 40)),
            "too much, with its aliases",
            id="depth by aliases",
        ),
        pytest.param("a: [" + "b, " * 20_000 + "]", "too much", id="a long list"),
        pytest.param("a: " + "1" * 5000, "is not YAML", id="a number of thousands of digits"),
        pytest.param("? [a, b]\n: c", "is no text", id="a list for a key"),
        pytest.param("? !!str [a]\n: c", "is no text", id="a list for a key that is called a text"),
        pytest.param("a: !!timestamp x", "is not YAML", id="a date"),
        pytest.param("a: !!bool maybe", "is not YAML", id="a truth that is none"),
        pytest.param("a: !!int ''", "is not YAML", id="a number that is none"),
        pytest.param("a: !!set {b}", "is not YAML", id="a set, which JSON lacks"),
    ],
)
def test_a_hostile_document_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        documents.parse(text.encode(), "text")
    assert said in str(refused.value)


def test_anchors_in_moderation_are_fine() -> None:
    (document,) = documents.parse(b"a: &a {x: 1, y: [2]}\nb: *a\nc: {<<: *a, x: 3}", "text")
    assert document == {"a": {"x": 1, "y": [2]}, "b": {"x": 1, "y": [2]}, "c": {"x": 3, "y": [2]}}


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read: No such file"):
        resource.read(tmp_path / "job.yaml")


def test_several_documents_are_several_resources() -> None:
    found = resource.parse(f"{MINIMAL}---\n{MINIMAL.replace('holiday', 'winter')}---\n")
    assert [each.name for each in found] == ["holiday", "winter"]
    with pytest.raises(RequestError, match="holds 2 TwinsJobs"):
        resource.only(found, "job.yaml")


def test_a_status_is_not_judged() -> None:
    assert resource.problems(one(f"{MINIMAL}status: {{phase: Sleeping}}\n")) == ()


def test_a_job_is_the_workers_part_with_defaults() -> None:
    read = spec(
        "engine: {batchSize: 8, guard: {sample: 5}}, parallelism: 3, storage: {credentialsSecret: s3, region: a},"
        " failurePolicy: {retriesPerShard: 1, maxFailedImages: 7}, gpu: {count: 2}, labels: {team: a}"
    )
    assert resource.problems(read) == ()
    assert job(read) == Job(
        name="holiday",
        model=Model(name="alt_gvt_small"),
        input=Input(uri="s3://photos/"),
        output=Output(uri="s3://predictions/"),
        engine=Engine(batch_size=8, guard=Guard(sample=5)),
        storage=job(read).storage.model_copy(update={"region": "a"}),
        failure_policy=job(read).failure_policy.model_copy(update={"max_failed_images": 7}),
    )


HERE = f"{HEAD}spec: {{model: {{name: alt_gvt_small}}, input: {{uri: 'file:///a/'}}, output: {{uri: 'file:///b/'}}}}\n"


def test_a_file_is_fine_here_and_not_in_a_cluster() -> None:
    fields = {each.field for each in resource.problems(one(HERE))}
    assert (fields, resource.problems(one(HERE), in_cluster=False)) == ({"spec.input.uri", "spec.output.uri"}, ())


@pytest.mark.parametrize(
    ("text", "field"),
    [
        pytest.param(HERE.replace("file:///a/", "pvc://photos/"), "spec.input.uri", id="a volume"),
        pytest.param(HERE.replace("spec: {", "spec: {dryRun: {}, "), "spec.dryRun", id="a dry run"),
    ],
)
def test_what_only_a_cluster_has_is_refused_here(text: str, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        local_job(one(text))
    assert refused.value.field == field


EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in EXAMPLES])
def test_examples_are_good_and_become_jobs(file: Path) -> None:
    example = resource.only(resource.read(file), file.name)
    assert resource.problems(example) == ()
    assert job(example).name == example.name
