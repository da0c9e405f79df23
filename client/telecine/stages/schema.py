"""Generates docs/stage-manifest.schema.json from the stage manifest's types.

Run `python -m telecine.stages.schema` in a checkout after a change of those types.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from telecine.published_schema import published_schema
from telecine.stages import manifest, process_identity

SCHEMA_PATH = Path(__file__).parents[3] / "docs" / "stage-manifest.schema.json"
_FLAT = ("InputFile", "OutputFile", "IntermediateFile", "StageResources")
"""Beside the fixed fields of these stands metadata of the caller's own."""


def stage_manifest_schema() -> str:
    """Returns the JSON Schema (draft 2020-12) as indented JSON; field docstrings become descriptions."""
    return published_schema(
        manifest.StageManifest, manifest.SCHEMA_ID, (manifest, process_identity), amend=_flatten
    )


def _flatten(definitions: dict[str, Any]) -> None:
    for name in _FLAT:
        del definitions[name]["properties"]["metadata"]
        definitions[name]["additionalProperties"] = {"description": "The caller's own metadata."}


if __name__ == "__main__":
    SCHEMA_PATH.write_text(stage_manifest_schema(), encoding="utf-8")
    sys.stdout.write(f"wrote {SCHEMA_PATH.name}\n")
