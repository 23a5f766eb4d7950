"""The definition is complete, documented, closed, and the workers' settings are a part of it."""

from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml

from twins_cli import definition
from twins_cli.job import CLUSTER_FIELDS
from twins_worker import settings

VERSION = yaml.safe_load(files("twins_cli").joinpath("crds/twinsjobs.yaml").read_text())["spec"]["versions"][0]
WHOLE = VERSION["schema"]["openAPIV3Schema"]
FIELDS = dict(definition.fields(WHOLE))
SPEC = {path.removeprefix("spec."): field for path, field in FIELDS.items() if path.startswith("spec.")}


def settings_fields(model: dict[str, Any], definitions: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Each leaf of the workers' settings by its path in the spec, as JSON Schema."""
    found: dict[str, dict[str, Any]] = {}
    for name, field in model["properties"].items():
        referred = [part["$ref"] for part in [field, *field.get("anyOf", ())] if "$ref" in part]
        if referred:
            inner = definitions[referred[0].rsplit("/", 1)[1]]
            found |= settings_fields(inner, definitions, f"{path}{name}.")
        else:
            found[f"{path}{name}"] = field
    return found


JOB = settings.Job.model_json_schema(by_alias=True)
SETTINGS = {path: field for path, field in settings_fields(JOB, JOB["$defs"]).items() if path != "name"}


def leaves(fields: dict[str, Any]) -> set[str]:
    """The fields that hold a value of their own; a list and a map count as one."""
    return {path for path, field in fields.items() if "properties" not in field and "[]" not in path}


def choices(field: dict[str, Any], keyword: str) -> Any:
    """A keyword of a field or of the one alternative that has it."""
    found = [part[keyword] for part in [field, *field.get("anyOf", ())] if part.get(keyword) is not None]
    return found[0] if found else None


def of_cluster(path: str) -> bool:
    return any(path == field or path.startswith(f"{field}.") for field in CLUSTER_FIELDS)


def test_every_field_of_a_spec_is_read_by_workers_or_named_as_the_clusters() -> None:
    assert {path for path in leaves(SPEC) if not of_cluster(path)} == set(SETTINGS)


def test_every_field_of_the_cluster_is_in_the_spec() -> None:
    assert set(SPEC) >= CLUSTER_FIELDS


@pytest.mark.parametrize("path", sorted(SETTINGS))
def test_workers_take_what_the_definition_lets_through(path: str) -> None:
    ours, theirs = SETTINGS[path], SPEC[path]
    assert choices(ours, "enum") == theirs.get("enum")
    assert theirs.get("default") == ours.get("default") or ours.get("default") in (None, [])


@pytest.mark.parametrize("path", sorted(path for path in SETTINGS if "minimum" in SPEC[path]))
def test_the_definition_is_at_least_as_strict_as_the_workers(path: str) -> None:
    ours, theirs = SETTINGS[path], SPEC[path]
    assert theirs["minimum"] >= choices(ours, "minimum")
    assert theirs["maximum"] <= (choices(ours, "maximum") or theirs["maximum"])


@pytest.mark.parametrize("path", sorted(path for path in FIELDS if path != "metadata.name"))
def test_every_field_is_explained(path: str) -> None:
    assert len(FIELDS[path].get("description", "")) > 3 or path == "metadata" or path.endswith("[]")


def open_ends(node: Any, path: str = "") -> list[str]:
    """Where a user could write without end or beyond the schema."""
    if not isinstance(node, dict):
        return []
    unbounded = {"array": "maxItems", "string": "maxLength"}.get(node.get("type", ""))
    here = [path] if unbounded and unbounded not in node and "enum" not in node and "format" not in node else []
    if node.get("additionalProperties") and "maxProperties" not in node:
        here.append(path)
    if node.get("x-kubernetes-preserve-unknown-fields"):
        here.append(path)
    inner = {**node.get("properties", {}), "[]": node.get("items"), "{}": node.get("additionalProperties")}
    return here + [end for name, child in inner.items() for end in open_ends(child, f"{path}.{name}")]


def test_everything_is_bounded_and_closed() -> None:
    assert open_ends(WHOLE["properties"]["spec"]) + open_ends(WHOLE["properties"]["status"]) == []


def test_columns_scale_and_selectable_fields_are_in_the_schema() -> None:
    scale = VERSION["subresources"]["scale"].values()
    columns = [column["jsonPath"] for column in VERSION["additionalPrinterColumns"] if "[?" not in column["jsonPath"]]
    selectable = [field["jsonPath"] for field in VERSION["selectableFields"]]
    shown = {path.lstrip(".") for path in [*scale, *columns, *selectable]}
    assert shown - set(FIELDS) == {"metadata.creationTimestamp"}


def rules(node: Any) -> list[dict[str, str]]:
    if isinstance(node, list):
        return [rule for item in node for rule in rules(item)]
    if not isinstance(node, dict):
        return []
    own = node.get("x-kubernetes-validations", [])
    return own + [rule for name, inner in node.items() if name != "x-kubernetes-validations" for rule in rules(inner)]


def test_only_what_one_machine_may_do_is_marked_as_forbidden_in_a_cluster() -> None:
    marked = {rule["rule"] for rule in rules(WHOLE) if rule.get("reason") == "FieldValueForbidden"}
    assert marked == {
        "!self.startsWith('file://')",
        "self.engine.precision != 'fp16' || self.engine.backend != 'auto' || has(self.gpu)",
    }


def test_every_rule_says_what_to_do() -> None:
    assert [rule for rule in rules(WHOLE) if "; " not in rule["message"] and "must be" not in rule["message"]] == []


STATUS = {
    "observedGeneration": 2,
    "phase": "Running",
    "conditions": [
        {
            "type": "Running",
            "status": "False",
            "observedGeneration": 2,
            "lastTransitionTime": "2026-08-01T10:00:00Z",
            "reason": "QuotaExceeded",
            "message": "couldn't assign flavors to pod set main: insufficient quota for cpu",
        }
    ],
    "selector": "twins.dev/job=holiday",
    "startTime": "2026-08-01T09:00:00Z",
    "estimatedCompletionTime": "2026-08-01T11:19:00Z",
    "done": "41%",
    "rate": "8.9k/s",
    "remaining": "1h19m",
    "imagesPerSecond": 8900,
    "images": {"planned": 1_200_000, "succeeded": 492_000, "failed": 37, "skipped": 12},
    "shards": {"total": 147, "active": 8, "succeeded": 60, "failed": 1, "failedIndexes": "17"},
    "bottleneck": {
        "stage": "decode",
        "shares": {"fetch": 20, "decode": 70, "infer": 9, "write": 1},
        "message": "decode-bound: raise cpu from 4 to 8",
    },
    "preemptions": 2,
    "workLostImages": 900,
    "restarts": 1,
    "cost": {"gpuSeconds": 3240, "cpuSeconds": 25_920, "imagesPerGpuSecond": 151},
    "lastFailure": {
        "reason": "OOMKilled",
        "step": "infer",
        "shard": 17,
        "exitCode": 137,
        "message": "out of memory",
        "time": "2026-08-01T09:40:00Z",
    },
    "output": {
        "uri": "s3://p/h/",
        "rows": 492_037,
        "bytes": 61_000_000,
        "report": "s3://p/h/report.html",
        "query": "…",
    },
    "resolved": {
        "backend": "tensorrt",
        "precision": "fp16",
        "batchSize": 64,
        "modelDigest": 64 * "a",
        "why": "asked for",
    },
}


def test_a_status_of_everything_that_the_api_names_fits() -> None:
    status = WHOLE["properties"]["status"]
    assert [error.message for error in jsonschema.Draft202012Validator(status).iter_errors(STATUS)] == []
    assert set(STATUS) <= set(status["properties"])
    nested = {name: set(value) for name, value in STATUS.items() if isinstance(value, dict)}
    assert all(names <= set(status["properties"][name]["properties"]) for name, names in nested.items())
