"""YAML as Kubernetes reads it: strictly, JSON's types only."""

import re
import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from twins.errors import RequestError

MAX_BYTES = 1 << 20
"""etcd takes no object above 1.5 MiB; a file above this is not a resource."""

_INTEGER = re.compile(r"^[-+]?(0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")


class _Loader(yaml.SafeLoader):
    """The safe loader without dates, octal and base-60 numbers, and with a word on keys that come twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise ConstructorError(None, None, f"the key {key.value!r} comes twice", key.start_mark)
            if key.tag not in {"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"}:
                raise ConstructorError(None, None, f"the key {key.value!r} is no text", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] in {"null", "bool", "merge"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def read(path: Path) -> tuple[dict[str, Any], ...]:
    """The documents in a file (``-`` is standard input), empty ones left out.

    Raises:
        RequestError: the file cannot be read or is not YAML of objects.
    """
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError("-f", path, f"cannot be read: {error.strerror}", "Name a file that is there.") from error
    if len(text) > MAX_BYTES:
        raise RequestError("-f", path, "is larger than 1 MiB", "Name the YAML of a TwinsJob.")
    return parse(text, str(path))


def parse(text: bytes, name: str) -> tuple[dict[str, Any], ...]:
    """As ``read``, of text that is called ``name`` in messages."""
    try:
        documents = [_as_json(document) for document in yaml.load_all(text, _Loader)]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RequestError("-f", name, f"is not YAML: {_line(error)}", "Correct that line.") from error
    if any(not isinstance(document, dict | None) for document in documents):
        raise RequestError("-f", name, "holds something other than an object", "Begin with apiVersion and kind.")
    return tuple(document for document in documents if document is not None)


def _line(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, {problem}" if mark else str(problem)


def _as_json(value: Any) -> Any:
    """``5.0`` is 5, as it is once Kubernetes has made JSON of it."""
    match value:
        case dict():
            return {key: _as_json(inner) for key, inner in value.items()}
        case list():
            return [_as_json(inner) for inner in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
