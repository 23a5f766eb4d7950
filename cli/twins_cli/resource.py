"""A TwinsJob as a person wrote it: read, completed, judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twins.errors import RequestError
from twins_cli import definition, documents, rules, shape
from twins_cli.defaults import with_defaults

API_VERSION, KIND = "twins.dev/v1alpha1", "TwinsJob"


@dataclass(frozen=True)
class Resource:
    """A TwinsJob with the schema's defaults in it, not yet judged."""

    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        metadata = self.body.get("metadata") or {}
        return str(metadata.get("name") or str(metadata.get("generateName", "")).rstrip("-") or "local")


def read(path: Path) -> tuple[Resource, ...]:
    """The TwinsJobs in a YAML file.

    Raises:
        RequestError: it holds something else, or nothing.
    """
    return _resources(documents.read(path), str(path))


def parse(text: str) -> tuple[Resource, ...]:
    """As ``read``, of text."""
    return _resources(documents.parse(text.encode(), "text"), "text")


def made(spec: Mapping[str, Any], name: str) -> Resource:
    """A TwinsJob of that spec."""
    return _resource({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": dict(spec)})


def only(resources: tuple[Resource, ...], name: str) -> Resource:
    """The one of a file from which one is expected.

    Raises:
        RequestError: there are more.
    """
    if len(resources) > 1:
        raise RequestError("-f", name, f"holds {len(resources)} TwinsJobs", "Put each into a file of its own.")
    return resources[0]


def problems(resource: Resource, *, old: Resource | None = None, in_cluster: bool = True) -> tuple[RequestError, ...]:
    """What the API server would refuse: on create, or with ``old`` on an update of that.

    Not ``in_cluster``, what only a cluster forbids (a ``file://``) passes.
    """
    found = list(shape.problems(resource.body))
    nameless = not {"name", "generateName"} & {key for key, value in _metadata(resource).items() if value}
    broken = [problem for _, problem in found]
    if nameless:
        broken.append(RequestError("metadata.name", None, "is required", "Give the job a name."))
    if not {kind for kind, _ in found} & shape.BLOCKING:
        before = old.body if old else None
        body = {**resource.body, "metadata": _metadata(resource)}  # a cluster's objects have one, whatever was written
        broken += rules.problems(body, definition.schema(), old=before, in_cluster=in_cluster)
    return tuple(broken)


def _metadata(resource: Resource) -> Mapping[str, Any]:
    metadata = resource.body.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _resources(found: tuple[dict[str, Any], ...], name: str) -> tuple[Resource, ...]:
    if not found:
        raise RequestError("-f", name, "holds no resource", f"Begin with apiVersion: {API_VERSION} and kind: {KIND}.")
    return tuple(_resource(document) for document in found)


def _resource(document: dict[str, Any]) -> Resource:
    if document.get("kind") != KIND:
        raise RequestError("kind", document.get("kind"), "is not judged here", f"Write kind: {KIND}.")
    if document.get("apiVersion") != API_VERSION:
        version = document.get("apiVersion")
        raise RequestError("apiVersion", version, f"has no {KIND}", f"Write apiVersion: {API_VERSION}.")
    given = {key: value for key, value in document.items() if key != "status"}
    return Resource(with_defaults(given, definition.schema()))
