"""What is drawn over an output's frames, as the caller asked for it: plain frozen values.

Colours are "#rrggbb" or "#rrggbbaa", in sRGB; they are converted to the frames' own colour when drawn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Length(msgspec.Struct, frozen=True):
    """A size or a place, in pixels or as a part of something that the field names."""

    value: float
    is_fraction: bool = False

    def pixels(self, whole: float) -> float:
        """The length in pixels, where the whole has `whole` of them."""
        return self.value * whole if self.is_fraction else self.value


class Position(StrEnum):
    """A point of a picture, and the same point of an overlay."""

    TOP_LEFT = "top_left"
    TOP = "top"
    TOP_RIGHT = "top_right"
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom_right"


class TextOverlay(msgspec.Struct, frozen=True, tag="text"):
    """Lines of text, with outline and box."""

    text: str
    """The text as it was asked for; fields in braces are filled in for each frame."""
    font: str = "sans"
    size: Length = Length(1 / 18, is_fraction=True)
    """A share of the picture's height, or pixels."""
    color: str = "#ffffff"
    outline_width: Length = Length(1 / 16, is_fraction=True)
    """A share of the text's size, or pixels. 0: no outline."""
    outline_color: str = "#000000b0"
    box_color: str = ""
    """Empty: no box."""
    box_padding: Length = Length(0.3, is_fraction=True)
    """A share of the text's size, or pixels."""


class ImageOverlay(msgspec.Struct, frozen=True, tag="image"):
    """A picture; its bytes lie beside the frames until the job has ended."""

    sha256: str
    """The hash of the file's bytes, in lower-case hex."""
    size_bytes: int
    width: Length | None = None
    """A share of the output's width, or pixels. None: the picture's own, or less if that does not fit."""


class Overlay(msgspec.Struct, frozen=True):
    """One thing that is drawn, where and when."""

    kind: TextOverlay | ImageOverlay
    position: Position
    x: Length | None = None
    """A share of the picture's width, or pixels. None: follows from position and margin, as `y` does."""
    y: Length | None = None
    """A share of the picture's height, or pixels."""
    margin: Length = Length(0.03, is_fraction=True)
    """A share of the picture's shorter side, or pixels."""
    opacity: float = 1.0
    start_seconds: float = 0.0
    end_seconds: float | None = None
    """None: to the end."""


OF_FRAMES: Final = ("frame", "time")
"""Differ from frame to frame."""


OF_JOBS: Final = ("job_id",)


_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def field_names(text: str) -> tuple[str, ...]:
    """The fields that a text names, in order. Raises ValueError for a brace that stands alone."""
    names = []
    for found in _PIECE.finditer(text):
        if found[1] is not None:
            names.append(found[1])
        elif len(found[0]) == 1:
            raise ValueError(f'a single {found[0]!r}; write it twice to show one: "{found[0] * 2}"')
    return tuple(names)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text as it is shown. Raises KeyError for a field without a value."""
    return _PIECE.sub(lambda found: found[0][0] if found[1] is None else values[found[1]], text)
