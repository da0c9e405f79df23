"""What may be drawn over the frames of an output: text and images.

A length is a whole number of pixels (12), a fraction (0.05, of what the field says), or text: "12px", "5%".
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Protocol, TypeAlias

Length: TypeAlias = int | float | str
"""Pixels of the output's picture as int or "12px"; a fraction as float from -1 to 1 or "5%"."""


class Position(StrEnum):
    """A point of the picture, and the same point of the overlay."""

    TOP_LEFT = "top_left"
    TOP = "top"
    TOP_RIGHT = "top_right"
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom_right"


class SavesItself(Protocol):
    """An image of Pillow's."""

    def save(self, fp: IO[bytes], format: str) -> object:  # noqa: A002 - Pillow's own name
        """Writes itself as a file of a format."""
        ...


@dataclass(frozen=True, slots=True)
class TextOverlay:
    """Text over the picture, such as `TextOverlay("seed {seed}", position="top_left")`.

    Colours are "#rrggbb" or "#rrggbbaa", in sRGB.
    """

    text: str
    """Lines are broken at line feeds, and between words where they are wider than the picture. Filled in:
    {frame}, {time}, {job_id} and every key of the job's metadata; "{{" and "}}" are braces."""
    _: KW_ONLY
    position: Position | str = Position.BOTTOM
    """Where it lies, `margin` from the edges; with `x` and `y`: which point of it lies there."""
    x: Length | None = None
    """Distance from the left; a fraction is one of the picture's width. None: by `position`."""
    y: Length | None = None
    """Distance from the top; a fraction is one of the picture's height. None: by `position`."""
    margin: Length | None = None
    """A fraction is one of the picture's shorter side. None: 0.03."""
    font: str = "sans"
    """"sans", "sans-bold", or a font file that the server allows (`Capabilities.fonts`)."""
    size: Length | None = None
    """Height of the font; a fraction is one of the picture's height. None: 1/18."""
    color: str = "#ffffff"
    outline_width: Length | None = None
    """A fraction is one of the text's size. None: 1/16; 0: none."""
    outline_color: str = "#000000b0"
    box_color: str = ""
    """Colour of the box behind the text. Empty: no box."""
    box_padding: Length | None = None
    """A fraction is one of the text's size. None: 0.3."""
    opacity: float = 1.0
    """0 (invisible) to 1."""
    start_seconds: float = 0.0
    end_seconds: float | None = None
    """None: to the end."""


@dataclass(frozen=True, slots=True)
class ImageOverlay:
    """A picture over the picture, such as `ImageOverlay("logo.png", width=0.15, opacity=0.7)`."""

    image: bytes | str | Path | SavesItself
    """The bytes of a file, its path, or an image of Pillow's. PNG, JPEG, WebP, GIF or BMP."""
    _: KW_ONLY
    position: Position | str = Position.BOTTOM_RIGHT
    """Where it lies, `margin` from the edges; with `x` and `y`: which point of it lies there."""
    x: Length | None = None
    y: Length | None = None
    margin: Length | None = None
    width: Length | None = None
    """A fraction is one of the output's width; the height follows. None: its own pixels, where they fit."""
    opacity: float = 1.0
    start_seconds: float = 0.0
    end_seconds: float | None = None


Overlay: TypeAlias = TextOverlay | ImageOverlay
