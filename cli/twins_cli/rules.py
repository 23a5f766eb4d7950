"""The definition's CEL rules, asked as the API server asks them."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import cel

from twins.errors import RequestError
from twins_cli.definition import Schema

CLUSTER_ONLY = "FieldValueForbidden"
"""The ``reason`` of a rule that forbids in a cluster what is fine on one machine."""

_program = cache(cel.compile)
_OLD = re.compile(r"\boldSelf\b")


def problems(
    value: Any, schema: Schema, *, old: Any = None, in_cluster: bool = True, path: str = ""
) -> Iterator[RequestError]:
    """Each rule at or below ``schema`` that ``value`` breaks. With ``old``, what must not change is compared too."""
    if value is None:
        return
    for rule in schema.get("x-kubernetes-validations", ()):
        asked = (in_cluster or rule.get("reason") != CLUSTER_ONLY) and (
            old is not None or not _OLD.search(rule["rule"])
        )
        if asked and not _holds(rule["rule"], value, old):
            yield _broken(rule, value, path)
    for step, inner, inner_old, inner_schema in _children(value, old, schema):
        yield from problems(inner, inner_schema, old=inner_old, in_cluster=in_cluster, path=f"{path}{step}".lstrip("."))


def _children(value: Any, old: Any, schema: Schema) -> Iterator[tuple[str, Any, Any, Schema]]:
    match value:
        case dict():
            known, others = schema.get("properties", {}), schema.get("additionalProperties")
            before = old if isinstance(old, dict) else {}
            for name, inner in value.items():
                if isinstance(inner_schema := known.get(name, others), Mapping):
                    yield f".{name}", inner, before.get(name), inner_schema
        case list() if "items" in schema:
            for index, item in enumerate(value):
                yield f"[{index}]", item, None, schema["items"]


def _holds(rule: str, value: Any, old: Any) -> bool:
    return bool(_program(rule).execute({"self": value, "oldSelf": old}))


def _broken(rule: Mapping[str, str], value: Any, path: str) -> RequestError:
    said = rule["message"]
    if "messageExpression" in rule:
        said = str(_program(rule["messageExpression"]).execute({"self": value}))
    problem, _, remedy = said.partition("; ")
    below = rule.get("fieldPath", "")
    return RequestError(f"{path}{below}".lstrip("."), _at(value, below), problem, remedy and f"{_upper(remedy)}.")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _at(value: Any, field_path: str) -> Any:
    for name in filter(None, field_path.split(".")):
        value = value.get(name) if isinstance(value, dict) else None
    return value
