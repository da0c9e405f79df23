"""client/telecine/schemas/: JSON Schemas of the types that are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telecine.json_schema import published_schema
from telecine.stages import manifest as stage_manifest
from telecine.stages import process_identity

from encoder_service.evidence import facts, manifest
from encoder_service.spec import spec
from encoder_service.spec.audio import sound, track

SCHEMAS = Path(__file__).parents[2] / "client" / "telecine" / "schemas"
MANIFEST_PATH = SCHEMAS / "manifest.schema.json"
STAGE_MANIFEST_PATH = SCHEMAS / "stage-manifest.schema.json"

_FLAT = ("InputFile", "OutputFile", "IntermediateFile", "StageResources")
"""Beside the fixed fields of these stands metadata of the caller's own."""


def manifest_schema() -> str:
    """The JSON Schema (draft 2020-12) of a job's manifest; the strings below fields describe them."""
    return published_schema(manifest.Manifest, manifest.SCHEMA_ID, (manifest, spec, facts, sound, track))


def stage_manifest_schema() -> str:
    """The JSON Schema (draft 2020-12) of a stage's manifest; the strings below fields describe them."""
    return published_schema(
        stage_manifest.StageManifest,
        stage_manifest.SCHEMA_ID,
        (stage_manifest, process_identity),
        amend=_flatten,
    )


def _flatten(definitions: dict[str, Any]) -> None:
    for name in _FLAT:
        del definitions[name]["properties"]["metadata"]
        definitions[name]["additionalProperties"] = {"description": "The caller's own metadata."}
