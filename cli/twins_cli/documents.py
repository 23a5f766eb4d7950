"""YAML as Kubernetes reads it: strictly, JSON's types only."""

import re
import sys
from collections.abc import Hashable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from twins.errors import RequestError

MAX_BYTES = 1 << 20
"""etcd takes no object above 1.5 MiB; a file above this is not a resource."""

MAX_NODES = 10_000
"""Of a document, once what ``*aliases`` stand for is written out: eighty lines can stand for gigabytes."""

MAX_DEPTH = 64
"""Of lists and objects within each other; a TwinsJob has seven."""

_TAG = "tag:yaml.org,2002:"
_JSON = ("null", "bool", "int", "float", "str", "seq", "map")

_INTEGER = re.compile(r"^[-+]?(0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")


class _Loader(yaml.SafeLoader):
    """The safe loader without dates, octal and base-60 numbers, and with a word on keys that come twice and on what
    grows without end."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._depth = 0
        self._sizes: dict[int, tuple[int, int]] = {}
        """Nodes and depth of each node of this document that is whole, aliases written out."""

    def compose_document(self) -> yaml.Node | None:
        self._sizes.clear()
        return super().compose_document()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        is_alias = self.check_event(yaml.AliasEvent)
        self._depth += 1
        if parent is not None and self._depth > MAX_DEPTH:
            raise ComposerError(None, None, f"lists and objects are more than {MAX_DEPTH} deep", parent.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and not is_alias:
            self._sizes[id(node)] = self._size(node)
        elif node is not None and id(node) not in self._sizes:
            raise ComposerError(None, None, "an alias stands for what it is in", node.start_mark)
        return node

    def _size(self, node: yaml.Node) -> tuple[int, int]:
        inner = [self._sizes[id(child)] for child in _children(node)]
        nodes, depth = 1 + sum(nodes for nodes, _ in inner), 1 + max((depth for _, depth in inner), default=0)
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ComposerError(None, None, "this is too much, with its aliases written out", node.start_mark)
        return nodes, depth

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in {f"{_TAG}str", f"{_TAG}merge"}:
                shown = repr(key.value) if isinstance(key, yaml.ScalarNode) else "of many parts"
                raise ConstructorError(None, None, f"the key {shown} is no text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"the key {key.value!r} comes twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from chain.from_iterable(node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] in {"null", "bool", "merge"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: made
    for tag, made in yaml.SafeLoader.yaml_constructors.items()
    if tag in {None, *(_TAG + name for name in _JSON)}
}
_Loader.add_implicit_resolver(f"{_TAG}int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


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
    except (yaml.YAMLError, ValueError, LookupError) as error:  # the latter two: a tag that its text does not bear out
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
