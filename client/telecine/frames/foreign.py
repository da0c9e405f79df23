"""Opens what other libraries call a picture: PIL images, and anything with DLPack or an array interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from telecine.exceptions import InvalidFramesError
from telecine.frames.arrays import Array
from telecine.request.orientation import upright

_CPU = 1
"""kDLCPU."""
_PLAIN_MODES = {"RGB", "RGBA", "L", "I;16", "I;16B", "I;16L", "I;16N", "F"}
_EXACT_MODES = {
    "1": ("L",), "LA": ("RGBA",), "La": ("LA", "RGBA"), "PA": ("RGBA",), "RGBa": ("RGBA",), "RGBX": ("RGB",),
}  # fmt: skip
"""Modes that convert without any choice about colour, and by what steps Pillow can."""
_MAX_16_BITS = 65535
_COLOR_AXES, _COLOR_CHANNELS, _CHANNELS_WITH_ALPHA = 3, 3, 4
_GRAY_AXES = 2


def is_image(frames: object) -> bool:
    """Whether it is an image of Pillow's."""
    return all(hasattr(frames, name) for name in ("mode", "size", "getbands", "tobytes"))


def image_array(image: Any) -> Array:
    """A PIL image's samples, upright: (H, W) or (H, W, C), uint8, uint16 or float32.

    Raises InvalidFramesError.
    """
    try:
        return _samples(upright(image))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, InvalidFramesError):
            raise
        raise InvalidFramesError(f"a PIL image cannot be read: {error}") from error


def in_channels(array: Array, channels: int) -> Array:
    """A gray (H, W) or opaque (H, W, 3) picture as (H, W, `channels`), opaque; any other as it is.

    Nothing is lost by it; `channels` below those of the picture change nothing.
    """
    if channels < _COLOR_CHANNELS or array.dtype.kind != "u":
        return array
    if array.ndim == _GRAY_AXES:
        array = np.repeat(array[..., None], _COLOR_CHANNELS, axis=2)
    if array.shape[2] != _COLOR_CHANNELS or channels == _COLOR_CHANNELS:
        return array
    return np.pad(array, ((0, 0), (0, 0), (0, 1)), constant_values=np.iinfo(array.dtype).max)


def has_transparency(image: Any) -> bool:
    """Whether some of its pixels may be transparent, by a band, a palette or a named colour."""
    known = getattr(image, "has_transparency_data", None)
    return bool("transparency" in image.info if known is None else known)


def without_unused_alpha(array: Array) -> Array:
    """An image's samples without a fourth channel that is opaque from corner to corner."""
    if array.ndim != _COLOR_AXES or array.shape[2] != _CHANNELS_WITH_ALPHA or array.dtype.kind != "u":
        return array
    is_opaque = bool(array[..., 3].min() == np.iinfo(array.dtype).max)
    return np.ascontiguousarray(array[..., :3]) if is_opaque else array


def _samples(image: Any) -> Array:
    mode = image.mode
    if mode == "I":
        return _sixteen_bits(np.asarray(image))
    if mode in {"P", "L", "RGB", "1"} and has_transparency(image):
        return np.asarray(image.convert("RGBA"))
    if mode == "P":
        return np.asarray(image.convert("RGB"))
    for step in _EXACT_MODES.get(mode, ()):
        image = image.convert(step)
    if image.mode in _PLAIN_MODES:
        return np.asarray(image)
    how = "with ImageCms" if mode == "LAB" else 'with image.convert("RGB")'
    raise InvalidFramesError(
        f"a PIL image has mode {mode}; expected RGB, RGBA, L, I;16 or F: convert it {how}",
        recovery=f"Convert it {how}, and look whether its colours are still right.",
    )


def _sixteen_bits(values: Array) -> Array:
    """What Pillow keeps in 32 bits, mostly a picture of 16: converting it to RGB would clip it to white."""
    lowest, highest = int(values.min()), int(values.max())
    if lowest >= 0 and highest <= _MAX_16_BITS:
        return values.astype(np.uint16)
    raise InvalidFramesError(
        f"a PIL image of mode I holds values from {lowest} to {highest}; expected 0 to {_MAX_16_BITS}",
        recovery="Scale it to 0..1 as floats: numpy.asarray(image) / its largest possible value.",
    )


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
