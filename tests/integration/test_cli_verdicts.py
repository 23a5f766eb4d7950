"""`twins validate` and Kubernetes' own validation code give one verdict, at one field, in the same words."""

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from twins.errors import RequestError
from twins_cli import resource

ROOT = Path(__file__).parents[2]
CRDCHECK = ROOT / ".cache/tools/crdcheck"
DEFINITION = ROOT / "crds/twinsjobs.yaml"
TABLE = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())

MINIMAL = {
    "model": {"name": "alt_gvt_small"},
    "input": {"uri": "s3://photos/2026/"},
    "output": {"uri": "s3://predictions/holiday/"},
}
EDITED = {
    "parallelism": 2,
    "suspend": True,
    "activeDeadlineSeconds": 60,
    "queueName": "team",
    "gpu": {"count": 1},
    "storage": {"region": "a"},
    "labels": {"team": "a"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
}


def merged(base: Any, change: Any) -> Any:
    """``base`` with a change, ``null`` staying what it is."""
    if not (isinstance(base, Mapping) and isinstance(change, Mapping)):
        return change
    return {**base, **{name: merged(base.get(name), inner) for name, inner in change.items()}}


def without_nulls(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    return {name: without_nulls(inner) for name, inner in node.items() if inner is not None}


def twinsjob(spec: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> str:
    body = {"apiVersion": "twins.dev/v1alpha1", "kind": "TwinsJob", "metadata": metadata, "spec": spec}
    return yaml.safe_dump({**body, "metadata": {"name": "holiday"} if metadata is None else metadata})


OLD = twinsjob(merged(MINIMAL, EDITED))
TWICE = twinsjob(MINIMAL) + "kind: TwinsJob\n"


def created(case: Mapping[str, Any]) -> str:
    return twinsjob(merged(MINIMAL, case.get("spec", {})), case.get("metadata"))


def edited(case: Mapping[str, Any]) -> str:
    return twinsjob(without_nulls(merged(merged(MINIMAL, EDITED), case.get("spec", {}))))


EXAMPLES = [pytest.param(file.read_text(), id=file.name) for file in sorted((ROOT / "examples").glob("*.yaml"))]
GOOD = [pytest.param(created(case), id=case["says"]) for case in TABLE["good"]] + EXAMPLES
BAD = [pytest.param(created(case), case["field"], id=case["says"]) for case in TABLE["bad"]]
EDITS = [pytest.param(edited(case), case.get("field"), id=case["says"]) for case in TABLE["edits"]]


def ours(text: str, old: str | None = None) -> dict[str, str]:
    """The fields that `twins validate` refuses, and what it says of each."""
    try:
        (new,) = resource.parse(text)
    except RequestError as error:
        return {error.field: str(error)}
    before = resource.parse(old)[0] if old else None
    return {problem.field: f"{problem.problem}; {problem.remedy}" for problem in resource.problems(new, old=before)}


@cache
def kubernetes() -> dict[tuple[str, str | None], dict[str, str]]:
    """What Kubernetes' code says of every document of this file, by (document, old document)."""
    asked = [(case.values[0], None) for case in GOOD + BAD] + [(TWICE, None)]
    asked += [(case.values[0], OLD) for case in EDITS]
    requests = json.dumps([{"object": new, "old": old} for new, old in asked])
    told = subprocess.run([CRDCHECK, DEFINITION], input=requests, capture_output=True, text=True, check=True).stdout
    return {
        request: {cause["field"]: cause["detail"] for cause in causes or ()}
        for request, causes in zip(asked, json.loads(told), strict=True)
    }


def at(field: str, refused: Mapping[str, str]) -> bool:
    """Whether a refusal is at the field, or at an entry of that map or list."""
    return any(named == field or named.startswith((f"{field}.", f"{field}[")) for named in refused)


@pytest.mark.parametrize("text", GOOD)
def test_good_resources_are_accepted_by_both(text: str) -> None:
    assert (ours(text), kubernetes()[text, None]) == ({}, {})


@pytest.mark.parametrize(("text", "field"), BAD)
def test_bad_resources_are_refused_by_both_at_the_same_field(text: str, field: str) -> None:
    assert at(field, ours(text)), ours(text)
    assert at(field, kubernetes()[text, None]), kubernetes()[text, None]


@pytest.mark.parametrize(("text", "field"), EDITS)
def test_edits_are_judged_alike(text: str, field: str | None) -> None:
    refused = {field} if field else set()
    assert (set(ours(text, OLD)), set(kubernetes()[text, OLD])) == (refused, refused)


def test_a_key_that_comes_twice_is_refused_by_both() -> None:
    assert "'kind' comes twice" in ours(TWICE)["-f"]
    assert 'key "kind" already set' in kubernetes()[TWICE, None][""]


def test_rules_are_told_in_the_same_words_and_with_a_way_out() -> None:
    told = [
        (ours(text)[field].rstrip("."), theirs)
        for text, field in (case.values for case in BAD)
        if "; " in (theirs := kubernetes()[text, None].get(field, ""))
    ]
    assert [pair for pair in told if not pair[1].lower().endswith(pair[0].lower())] == []
    assert len(told) > 30
