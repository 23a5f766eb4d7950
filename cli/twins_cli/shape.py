"""Whether a resource has the shape of the schema: fields, types, bounds."""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

import jsonschema
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from twins.errors import RequestError
from twins_cli import definition
from twins_cli.definition import Schema

BLOCKING = {"type", "anyOf", "enum", "required", "additionalProperties", "maxLength", "maxItems", "maxProperties"}
"""After a problem of these kinds the API server asks no rule, since rules may trip over it."""

_NOUNS = {
    "object": "an object of fields",
    "array": "a list",
    "string": "a text; quote it",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


_SAID = {
    "type": ("has the wrong type", "Write {noun}."),
    "anyOf": ("has the wrong type", "Write a whole number or a text."),
    "minimum": ("is below {limit}", "Write {limit} or more."),
    "maximum": ("is above {limit}", "Write {limit} or less."),
    "minLength": ("is empty", "{what}"),
    "maxLength": ("is longer than {limit} characters", "Shorten it."),
    "maxItems": ("has more than {limit} items", "Shorten the list."),
    "maxProperties": ("has more than {limit} entries", "Remove some."),
    "uniqueItems": ("has an item twice", "Remove one of them."),
}
"""Problem and remedy by keyword of the schema."""


def problems(resource: Mapping[str, Any]) -> Iterator[tuple[str, RequestError]]:
    """Each departure from the schema, with its kind (the keyword of the schema)."""
    errors = sorted(_validator().iter_errors(resource), key=lambda error: [str(step) for step in error.absolute_path])
    for error in errors:
        yield from ((str(error.validator), problem) for problem in _problems(error))


def path(steps: Any) -> str:
    """``["spec", "tolerations", 0]`` as ``spec.tolerations[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


@cache
def _validator() -> Validator:
    return jsonschema.Draft202012Validator(_closed(definition.schema()))


def _closed(node: Any) -> Any:
    """The schema in JSON Schema's words: unknown fields and items twice refused, ``$`` only at the end of a text."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    closed = {key: _closed(inner) for key, inner in node.items() if key != "default"}
    if isinstance(closed.get("pattern"), str):
        closed["pattern"] = closed["pattern"].removesuffix("$") + r"\Z"
    if closed.get("x-kubernetes-list-type") in {"set", "map"}:  # the one list of type map has no field but its key
        closed["uniqueItems"] = True
    if closed.get("type") == "object" and "properties" in closed:
        closed["additionalProperties"] = False
    return closed


def _problems(error: ValidationError) -> Iterator[RequestError]:
    here, value, limit = path(error.absolute_path), cast("Any", error.instance), cast("Any", error.validator_value)
    schema = cast("Schema", error.schema)
    match error.validator:
        case "additionalProperties":
            for name in sorted(set(value) - set(schema["properties"])):
                yield _unknown(here, name, schema["properties"])
        case "required":
            for name in (name for name in limit if name not in value and f"'{name}'" in error.message):
                yield RequestError(path([here, name]), None, "is required", _what(schema["properties"][name]))
        case "enum":
            close = difflib.get_close_matches(str(value), [str(choice) for choice in limit], n=1)
            remedy = f"Did you mean {close[0]}?" if close else "Choose one of them."
            yield RequestError(here, value, f"is not one of {', '.join(map(str, limit))}", remedy)
        case keyword:
            problem, remedy = _SAID.get(str(keyword), ("has the wrong form", "{what}"))
            noun = _NOUNS.get(limit, "") if isinstance(limit, str) else ""
            words = {"limit": limit, "noun": noun, "what": _what(schema)}
            yield RequestError(here, value, problem.format(**words), remedy.format(**words))


def _unknown(parent: str, name: str, siblings: Mapping[str, Schema]) -> RequestError:
    here = path([parent, name]) if parent else name
    elsewhere = [known for known, _ in definition.fields() if known.rsplit(".", 1)[-1] == name]
    close = difflib.get_close_matches(name, siblings, n=1)
    if close:
        remedy = f"Did you mean {close[0]}?"
    elif elsewhere:
        remedy = f"Did you mean {elsewhere[0]}?"
    else:
        remedy = f"There are {', '.join(siblings)}."
    return RequestError(here, None, "is no field of a TwinsJob", remedy)


def _what(field: Schema) -> str:
    return str(field.get("description") or f"Give {_NOUNS.get(field.get('type', ''), 'a value')}.")
