"""`python -m docs.tools` writes all that is generated from the code; `--check` says what is stale instead."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.tools import authorisation, commands, llms, metrics, protos, python_api, schemas, settings

DOCS = Path(__file__).parents[1]


def pages() -> dict[Path, str]:
    """Every generated file with its text."""
    kinds = (settings, metrics, commands, protos, python_api)
    found = {DOCS / "reference" / name: text for kind in kinds for name, text in kind.pages().items()}
    return found | {
        DOCS / "llms.txt": llms.text(found),
        authorisation.PAGE: authorisation.table(),
        schemas.MANIFEST_PATH: schemas.manifest_schema(),
        schemas.STAGE_MANIFEST_PATH: schemas.stage_manifest_schema(),
    }


def stale() -> list[Path]:
    """The pages that are not as the code says."""
    return [
        path
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Writes or checks; returns the exit code."""
    if "--check" in sys.argv[1:]:
        names = [path.relative_to(DOCS.parent).as_posix() for path in stale()]
        sys.stderr.writelines(f"{name} is stale: run `make docs-reference`\n" for name in names)
        return bool(names)
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
