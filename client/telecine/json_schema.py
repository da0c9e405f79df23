"""Writes the JSON Schema of a published document from its types; the strings below fields describe them."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import msgspec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def published_schema(
    kind: type[msgspec.Struct],
    schema_id: str,
    modules: Sequence[ModuleType],
    amend: Callable[[dict[str, Any]], None] | None = None,
) -> str:
    """The schema (draft 2020-12) of `kind`, as indented JSON that ends with a line feed.

    `modules` define its types. `amend` may change the definitions, by their types' names, before every
    field that is left becomes a required one, but those that may be unset: readers may rely on all that this
    version writes.
    """
    definitions: dict[str, Any] = msgspec.json.schema(kind)["$defs"]
    for module in modules:
        for struct, docs in field_docs(module).items():
            _describe(definitions.get(struct, {}).get("properties", {}), docs)
    if amend is not None:
        amend(definitions)
    root = definitions.pop(kind.__name__)
    for definition in (root, *definitions.values()):
        if "properties" in definition:
            definition["required"] = sorted(_always_there(definition))
    head = {"$schema": DIALECT, "$id": schema_id, **root, "$defs": dict(sorted(definitions.items()))}
    head["properties"]["schema"] = {"const": schema_id}
    return json.dumps(head, indent=2, ensure_ascii=False) + "\n"


def _always_there(definition: dict[str, Any]) -> list[str]:
    """The fields that are always written; one that may be unset is neither required nor has it a default."""
    required = definition.get("required", ())
    properties: dict[str, dict[str, Any]] = definition["properties"]
    return [name for name, entry in properties.items() if name in required or "default" in entry]


def field_docs(module: ModuleType) -> dict[str, dict[str, str]]:
    """By class and field, the string below each field, which Python itself throws away.

    Raises OSError, TypeError for a module without source.
    """
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields = found[node.name] = {}
        for field, after in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                fields[field.target.id] = inspect.cleandoc(str(after.value.value))
    return found


def _describe(properties: dict[str, Any], docs: dict[str, str]) -> None:
    for field, text in docs.items():
        name = "retained" if field == "is_retained" else field
        if name in properties:
            properties[name] = {"description": text, **properties[name]}
