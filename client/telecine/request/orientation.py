"""Turns images of Pillow's upright, as their EXIF data says."""

from __future__ import annotations

from typing import Any

_TAG = 0x0112
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF's orientations and Pillow's numbers of what undoes them (`Image.Transpose`); 1 stands upright."""


def upright(image: Any) -> Any:
    """The image as it is to be looked at: itself, or a turned and mirrored copy."""
    if not hasattr(image, "getexif"):
        return image
    image.load()  # Pillow turns TIFF files by itself, when it loads them
    try:
        turn = _TURNS.get(image.getexif().get(_TAG, 1))
    except Exception:  # noqa: BLE001 -- damaged EXIF data says nothing, and Pillow raises anything for it
        return image
    return image if turn is None else image.transpose(turn)
