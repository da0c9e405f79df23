"""Generates docs/manifest.schema.json from the manifest's types.

Run `python -m encoder_service.manifest_schema` after a change of those types.
"""

from __future__ import annotations

import sys
from pathlib import Path

from telecine.published_schema import published_schema

from encoder_service import manifest, spec, work

SCHEMA_PATH = Path(__file__).parent.parent / "docs" / "manifest.schema.json"


def manifest_schema() -> str:
    """Returns the JSON Schema (draft 2020-12) as indented JSON; field docstrings become descriptions."""
    return published_schema(manifest.Manifest, manifest.SCHEMA_ID, (manifest, spec, work))


if __name__ == "__main__":
    SCHEMA_PATH.write_text(manifest_schema(), encoding="utf-8")
    sys.stdout.write(f"wrote {SCHEMA_PATH.name}\n")
