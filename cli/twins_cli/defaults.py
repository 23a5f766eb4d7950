"""Defaults of the schema, put in as the API server puts them in."""

from typing import Any

from twins_cli.definition import Schema


def with_defaults(value: Any, schema: Schema) -> Any:
    """``value`` with what is missing filled in, from the outside in, so that a default may itself be completed.

    A ``null`` counts as missing where the schema has a default, and stays to be refused where it has none.
    """
    match value:
        case dict() if "properties" in schema:
            return _object_with_defaults(value, schema["properties"])
        case list() if "items" in schema:
            return [with_defaults(item, schema["items"]) for item in value]
        case _:
            return value


def _object_with_defaults(value: dict[str, Any], properties: dict[str, Schema]) -> dict[str, Any]:
    missing = {
        name: field["default"] for name, field in properties.items() if "default" in field and value.get(name) is None
    }
    return {name: with_defaults(inner, properties.get(name, {})) for name, inner in {**value, **missing}.items()}
