"""The TwinsJob definition: ``crds/twinsjobs.yaml``, the same file in a checkout (a link), a wheel and a cluster."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

Schema = Mapping[str, Any]

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_NAME = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"

METADATA: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": _NAME},
        "generateName": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": {
            "type": "object",
            "propertyNames": {"pattern": r"^([a-z0-9][-.a-z0-9]*/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$"},
            "additionalProperties": {
                "type": "string",
                "maxLength": 63,
                "pattern": r"^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$",
            },
        },
        "annotations": _TEXTS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
        **{
            written_by_the_server: {}
            for written_by_the_server in (
                "creationTimestamp",
                "deletionGracePeriodSeconds",
                "deletionTimestamp",
                "generation",
                "managedFields",
                "resourceVersion",
                "selfLink",
                "uid",
            )
        },
    },
}
"""What Kubernetes knows of ``metadata`` without being told by a definition."""


@cache
def schema() -> Schema:
    """The schema of a whole TwinsJob, status apart: the API server takes none from a user."""
    text = files("twins_cli").joinpath("crds/twinsjobs.yaml").read_text()
    whole: dict[str, Any] = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    properties = {name: field for name, field in whole["properties"].items() if name != "status"}
    return {**whole, "properties": {**properties, "metadata": METADATA}}


def fields(node: Schema | None = None, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every field below ``node`` with its path, ``spec.tolerations[].key`` for one within a list."""
    for name, field in (schema() if node is None else node).get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, field
        yield from fields(field, here)
        yield from fields(field.get("items", {}), f"{here}[]")
