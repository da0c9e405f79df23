"""Generates docs/stage-manifest.schema.json from the stage manifest's types.

Run `python -m telecine.stages.schema` in a checkout after a change of those types.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from telecine.stages import manifest, process_identity

SCHEMA_PATH = Path(__file__).parents[3] / "docs" / "stage-manifest.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FLAT = ("InputFile", "OutputFile", "IntermediateFile", "StageResources")
"""Beside the fixed fields of these stands metadata of the caller's own."""


def stage_manifest_schema() -> str:
    """Returns the JSON Schema (draft 2020-12) as indented JSON; field docstrings become descriptions."""
    schema: dict[str, Any] = msgspec.json.schema(manifest.StageManifest)
    definitions = schema["$defs"]
    for module in (manifest, process_identity):
        for struct, docs in _field_docstrings(module).items():
            properties = definitions.get(struct, {}).get("properties", {})
            for field, text in docs.items():
                name = "retained" if field == "is_retained" else field
                if name in properties:
                    properties[name] = {"description": text, **properties[name]}
    for name in _FLAT:
        del definitions[name]["properties"]["metadata"]
        definitions[name]["additionalProperties"] = {"description": "The caller's own metadata."}
    root = definitions.pop("StageManifest")
    # Readers may rely on every field that this version writes.
    for definition in (root, *definitions.values()):
        if "properties" in definition:
            definition["required"] = sorted(definition["properties"])
    head = {
        "$schema": _DIALECT,
        "$id": manifest.SCHEMA_ID,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
    head["properties"]["schema"] = {"const": manifest.SCHEMA_ID}
    return json.dumps(head, indent=2, ensure_ascii=False) + "\n"


def _field_docstrings(module: ModuleType) -> dict[str, dict[str, str]]:
    """Finds the string below each field, which Python itself throws away."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields: dict[str, str] = {}
        for field, after in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                fields[field.target.id] = inspect.cleandoc(str(after.value.value))
        found[node.name] = fields
    return found


if __name__ == "__main__":
    SCHEMA_PATH.write_text(stage_manifest_schema(), encoding="utf-8")
    sys.stdout.write(f"wrote {SCHEMA_PATH.name}\n")
