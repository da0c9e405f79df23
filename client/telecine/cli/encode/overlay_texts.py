"""Reads what `-o` says about text and watermark over an output's frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from telecine.request.overlays import ImageOverlay, Overlay, TextOverlay

TEXT: Final = "text"
WATERMARK: Final = "watermark"

_TEXT_FIELDS = {
    "position": str, "x": str, "y": str, "margin": str, "font": str, "size": str, "color": str,
    "outline_width": str, "outline_color": str, "box_color": str, "box_padding": str, "opacity": float,
    "start": float, "end": float,
}  # fmt: skip
_WATERMARK_FIELDS = {
    "position": str, "x": str, "y": str, "margin": str, "width": str, "opacity": float, "start": float,
    "end": float,
}  # fmt: skip
_RENAMED = {"start": "start_seconds", "end": "end_seconds"}

KEYS: Final = (
    TEXT,
    *(f"{TEXT}_{field}" for field in _TEXT_FIELDS),
    WATERMARK,
    *(f"{WATERMARK}_{field}" for field in _WATERMARK_FIELDS),
)
"""Everything that may stand before a "=". Lengths are "12px" or "5%", times are seconds."""


def overlays_of(pairs: Mapping[str, str]) -> tuple[Overlay, ...]:
    """The overlays that keys ask for: the watermark, and the text on top of it.

    Raises ValueError, which says so, for a number that is none, and for what belongs to no overlay.
    """
    found: list[Overlay] = []
    image, text = pairs.get(WATERMARK), pairs.get(TEXT)
    image_fields = _fields(pairs, WATERMARK, _WATERMARK_FIELDS)
    text_fields = _fields(pairs, TEXT, _TEXT_FIELDS)
    for name, value, fields in ((WATERMARK, image, image_fields), (TEXT, text, text_fields)):
        if fields and not value:
            field = next(key for key in pairs if key.startswith(f"{name}_"))
            raise ValueError(f"{field} is without a {name}")
    if image:
        found.append(ImageOverlay(image, **image_fields))
    if text:
        found.append(TextOverlay(text.replace("\\n", "\n"), **text_fields))
    return tuple(found)


def _fields(pairs: Mapping[str, str], overlay: str, known: Mapping[str, type]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, kind in known.items():
        value = pairs.get(f"{overlay}_{name}")
        if value is None:
            continue
        try:
            fields[_RENAMED.get(name, name)] = kind(value)
        except ValueError:
            raise ValueError(f"{overlay}_{name} is {value!r}") from None
    return fields
