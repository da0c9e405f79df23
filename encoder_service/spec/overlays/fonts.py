"""Finds fonts: those that come with the service, and files in directories that its settings allow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

BUNDLED: Final = {"sans": "DejaVuSans.ttf", "sans-bold": "DejaVuSans-Bold.ttf"}
"""Names to files beside this package; their licence lies with them."""
SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc"})
MAX_LISTED: Final = 1000

_HOME = Path(__file__).parents[2] / "fonts"


def find_font(name: str, directories: Iterable[Path]) -> Path | None:
    """The file of a font; None if it is missing or may not be used.

    A path leads out of the directories neither by "..", nor by links, nor by being absolute.
    """
    if name in BUNDLED:
        return _HOME / BUNDLED[name]
    if Path(name).suffix.lower() not in SUFFIXES or "\0" in name:
        return None
    for directory in directories:
        root = directory.expanduser().resolve()
        found = (root / name).resolve()
        if found.is_relative_to(root) and found.is_file():
            return found
    return None


def list_fonts(directories: Iterable[Path]) -> tuple[str, ...]:
    """The names that may be used, the bundled ones first; at most MAX_LISTED."""
    names = list(BUNDLED)
    for directory in directories:
        root = directory.expanduser().resolve()
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        names += [path.relative_to(root).as_posix() for path in files]
    return tuple(dict.fromkeys(names))[:MAX_LISTED]
