"""From a TwinsJob to what its workers read of it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from twins.errors import RequestError
from twins_cli.resource import Resource
from twins_worker.settings import Job

CLUSTER_FIELDS = frozenset(
    {
        "activeDeadlineSeconds",
        "annotations",
        "dryRun",
        "failurePolicy.retriesPerShard",
        "gpu",
        "imagePullSecrets",
        "labels",
        "nodeSelector",
        "parallelism",
        "priorityClassName",
        "queueName",
        "resources",
        "runtimeClassName",
        "serviceAccountName",
        "storage.credentialsSecret",
        "suspend",
        "tolerations",
        "ttlSecondsAfterFinished",
    }
)
"""Fields of a spec that decide where and when pods run and how they are let in: no worker reads them."""


def job(resource: Resource) -> Job:
    """The worker's part of a resource that has been judged good."""
    return Job.model_validate({"name": resource.name, **_without_cluster_fields(resource.body["spec"])})


def local_job(resource: Resource) -> Job:
    """As ``job``, for this machine: a ``file://`` becomes the path that it means.

    Raises:
        RequestError: it asks for what only a cluster has.
    """
    for field, value in _texts(resource.body["spec"], "spec"):
        if value.startswith("pvc://"):
            raise RequestError(field, value, "is a volume of a cluster", "Here, name its files by file:///PATH.")
    if resource.body["spec"].get("dryRun") is not None:
        raise RequestError("spec.dryRun", None, "is for a cluster", "Here, use twins plan -f, or set spec.input.limit.")
    return job(Resource({**resource.body, "spec": _with_paths(resource.body["spec"])}))


def _with_paths(node: Any) -> Any:
    match node:
        case dict():
            return {name: _with_paths(value) for name, value in node.items()}
        case str() if node.startswith("file://"):
            return unquote(node.removeprefix("file://"))
        case _:
            return node


def _without_cluster_fields(node: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    kept = {name: value for name, value in node.items() if f"{path}{name}" not in CLUSTER_FIELDS}
    return {
        name: _without_cluster_fields(value, f"{path}{name}.") if isinstance(value, dict) else value
        for name, value in kept.items()
    }


def _texts(node: Any, path: str) -> list[tuple[str, str]]:
    match node:
        case dict():
            return [pair for name, value in node.items() for pair in _texts(value, f"{path}.{name}")]
        case str():
            return [(path, node)]
        case _:
            return []
