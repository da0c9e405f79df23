"""The published schema is what the code writes."""

from __future__ import annotations

import json

import jsonschema

from docs.tools.schemas import MANIFEST_PATH, manifest_schema


def test_the_published_schema_is_fresh() -> None:
    assert MANIFEST_PATH.read_text(encoding="utf-8") == manifest_schema(), "run: make docs-reference"


def test_the_schema_is_a_schema_and_explains_its_fields() -> None:
    schema = json.loads(manifest_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["timestamp"]["format"] == "date-time"
    assert schema["$defs"]["IntermediateFile"]["properties"]["retained"]["description"]
    assert schema["$defs"]["FrameCounts"]["properties"]["decoded"]["description"]
