"""Opens what other libraries call a picture: PIL images, and anything with DLPack or an array interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from telecine.exceptions import InvalidFramesError
from telecine.frames.arrays import Array

_CPU = 1
"""kDLCPU."""
_IMAGE_MODES = {"RGB", "RGBA", "L", "I;16"}
_EXACT_MODES = {"1": "L", "LA": "RGBA", "La": "RGBA", "RGBa": "RGBA", "RGBX": "RGB"}
"""Modes that convert without any choice about colour."""


def is_image(frames: object) -> bool:
    """Whether it is an image of Pillow's."""
    return all(hasattr(frames, name) for name in ("mode", "size", "getbands", "tobytes"))


def image_array(image: Any) -> Array:
    """A PIL image's samples: (H, W) or (H, W, C), uint8 or uint16. Raises InvalidFramesError."""
    mode = image.mode
    if mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif mode in _EXACT_MODES:
        image = image.convert(_EXACT_MODES[mode])
    elif mode not in _IMAGE_MODES:
        raise InvalidFramesError(
            f'a PIL image has mode {mode}; expected RGB, RGBA, L or I;16: call image.convert("RGB")'
        )
    return np.asarray(image)


def is_array_like(frames: object) -> bool:
    """Can be opened by `open_array`."""
    return any(hasattr(frames, name) for name in ("__dlpack__", "__array__", "__array_interface__"))


def open_array(frames: Any) -> Array:
    """Views foreign samples as numpy, without copying where they lie in host memory.

    Raises InvalidFramesError.
    """
    if isinstance(frames, np.ndarray):
        return np.asarray(frames)
    attempts: list[Callable[[Any], Array]] = []
    if hasattr(frames, "__dlpack__"):
        attempts.append(_from_dlpack)
    attempts.append(np.asarray)
    faults: list[str] = []
    for attempt in attempts:
        try:
            array = attempt(frames)
        except Exception as error:  # noqa: BLE001 -- a foreign library may raise anything
            faults.append(str(error))
            continue
        if array.dtype != object:
            return array
    why = "; ".join(faults) or "it holds no plain numbers"
    raise InvalidFramesError(f"frames of type {type(frames).__qualname__} cannot be read: {why}")


def _from_dlpack(frames: Any) -> Array:
    device = frames.__dlpack_device__()[0] if hasattr(frames, "__dlpack_device__") else _CPU
    if int(device) == _CPU:
        return np.from_dlpack(frames)
    for name in ("cpu", "get"):
        if hasattr(frames, name):
            return open_array(getattr(frames, name)())
    return np.from_dlpack(frames, device="cpu")
