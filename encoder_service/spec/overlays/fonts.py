"""Finds fonts: those that come with the service, and files in directories that its settings allow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

BUNDLED: Final = {"sans": "DejaVuSans.ttf", "sans-bold": "DejaVuSans-Bold.ttf"}
"""Names to files beside this package; their licence lies with them."""
SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc"})
MAX_LISTED: Final = 1000
MAX_SEARCHED: Final = 1000
"""Fonts that are looked into for characters which another one lacks."""
_STYLED: Final = ("italic", "oblique", "mono", "serif", "condensed", "light", "thin", "black", "extra")

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


def fallback_fonts(directories: Iterable[Path], *, is_bold: bool) -> tuple[Path, ...]:
    """The files that may stand in for a font, the plainest first; at most MAX_SEARCHED.

    In the same order on every machine that has the same fonts. A link that leads out is not followed.
    """
    found: list[Path] = []
    for directory in directories:
        root = directory.expanduser().resolve()
        files = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        found += sorted(path for path in files if path.resolve().is_relative_to(root) and path.is_file())
    return tuple(
        sorted(dict.fromkeys(found), key=lambda path: _oddness(path.stem.lower(), is_bold))[:MAX_SEARCHED]
    )


def _oddness(stem: str, is_bold: bool) -> tuple[int, bool]:
    return sum(word in stem for word in _STYLED), ("bold" in stem) is not is_bold


def list_fonts(directories: Iterable[Path]) -> tuple[str, ...]:
    """The names that may be used, the bundled ones first; at most MAX_LISTED."""
    names = list(BUNDLED)
    for directory in directories:
        root = directory.expanduser().resolve()
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        names += [path.relative_to(root).as_posix() for path in files]
    return tuple(dict.fromkeys(names))[:MAX_LISTED]
