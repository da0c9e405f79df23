"""Style, scripts and icon, read once; none of them comes from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).parent.parent / "assets"
TYPES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def load_assets() -> dict[str, tuple[bytes, str]]:
    """Name to content and media type."""
    return {name: ((DIRECTORY / name).read_bytes(), media_type) for name, media_type in TYPES.items()}
