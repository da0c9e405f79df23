"""Turns numpy arrays into code values: contiguous, 8 or 16 bits, channels last; frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.exceptions import InvalidFramesError, ValueRangeError
from telecine.exceptions.root import FieldViolation
from telecine.frames.axes import Arrangement, Axes
from telecine.request.options import PixelFormat

Array = npt.NDArray[Any]
_MAX_10_BITS = 1023
_UNUSED_BITS = 0x3F
"""Of a word of p010le."""


def is_float(array: Array) -> bool:
    """Holds floats, bfloat16 included (which is no float to numpy)."""
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def bits_of(array: Array) -> int | None:
    """8 or 16 for integer samples, None for floats and truth values. Raises InvalidFramesError for others."""
    if is_float(array) or array.dtype.kind == "b":
        return None
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return array.dtype.itemsize * 8
    raise InvalidFramesError(
        f"frames have dtype {array.dtype}; expected uint8, uint16, bool or a float from 0 to 1 "
        "(for 0 to 255 in another integer type: frames.astype(numpy.uint8) after checking its range)"
    )


def code_blocks(array: Array, arrangement: Arrangement, bits: int, range_: OutOfRange) -> Iterator[Array]:
    """Yields whole frames as C-contiguous uint8 or little-endian uint16, channels last.

    A contiguous integer array comes as it is, uncopied, all frames at once. Everything else comes frame
    by frame in memory that is used again: each block is valid until the next is asked for.
    Raises ValueRangeError.
    """
    frames = array if arrangement.is_clip else array[np.newaxis]
    dtype = np.dtype("u1" if bits == 8 else "<u2")
    is_first = arrangement.axes is Axes.CHANNELS_FIRST and arrangement.channels > 1
    if frames.dtype == dtype and frames.flags.c_contiguous and not is_first:
        yield frames
        return
    shape = (arrangement.height, arrangement.width, arrangement.channels)
    codes = np.empty(shape, dtype)
    scaled = np.empty(shape, np.float32) if is_float(frames) else None
    for frame in frames:
        picture = frame.transpose(1, 2, 0) if arrangement.axes is Axes.CHANNELS_FIRST else frame
        picture = picture.reshape(shape) if picture.ndim == 2 else picture
        if frames.dtype.kind == "b":  # a mask: False is black, True is white
            np.multiply(picture, (1 << bits) - 1, out=codes, casting="unsafe")
        elif scaled is None:
            codes[...] = picture
        else:
            _scale(picture, scaled, bits, range_)
            np.copyto(codes, scaled, casting="unsafe")
        yield codes


def check_sample_range(samples: Array, pixel_format: PixelFormat) -> None:
    """Raises ValueRangeError for 16-bit words that are no samples of a 10-bit format."""
    if pixel_format not in {PixelFormat.YUV420P10LE, PixelFormat.P010LE} or not samples.size:
        return
    words = samples.reshape(-1)
    if words.dtype.itemsize == 1:
        words = np.ascontiguousarray(words).view("<u2")
    if pixel_format is PixelFormat.YUV420P10LE and (highest := int(words.max())) > _MAX_10_BITS:
        raise ValueRangeError(
            f"{pixel_format.value} frames hold samples up to {highest}; expected at most {_MAX_10_BITS}",
            recovery="Shift samples of 16 bits down by 6 (samples >> 6), or send p010le.",
        )
    if pixel_format is PixelFormat.P010LE and bool((words & _UNUSED_BITS).any()):
        raise ValueRangeError(
            f"{pixel_format.value} frames hold samples whose 6 lowest bits are not 0",
            recovery="Clear them (samples & 0xFFC0), or send yuv420p10le.",
        )


def _scale(picture: Array, scaled: npt.NDArray[np.float32], bits: int, range_: OutOfRange) -> None:
    """Writes round(value * maximum) into `scaled`; a value is in range when that is a code value."""
    maximum = np.float32((1 << bits) - 1)
    source = picture.astype(np.float32) if picture.dtype.name == "bfloat16" else picture
    with np.errstate(invalid="ignore", over="ignore"):
        # With the type of `out` alone NumPy 1 would compute halves as halves.
        np.multiply(source, maximum, out=scaled, dtype=np.float32, casting="same_kind")
        np.rint(scaled, out=scaled)
        lowest, highest = scaled.min(), scaled.max()
    if lowest >= 0 and highest <= maximum:  # False for NaN too
        return
    if range_.policy == "error":
        values = np.asarray(source, np.float32)
        known = values[~np.isnan(values)]
        nan_samples = values.size - known.size
        extremes = (float(known.min()), float(known.max())) if known.size else (float("nan"), float("nan"))
        raise range_.refuse(*extremes, nan_samples)
    outside = ~((scaled >= 0) & (scaled <= maximum))
    range_.clipped_samples += int(np.count_nonzero(outside))
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=float(maximum), neginf=0.0)
    np.clip(scaled, 0, maximum, out=scaled)


CHOICES = ("error", "clip")


@dataclass(slots=True)
class OutOfRange:
    """What a caller chose for values out of range, and how many were clipped so far."""

    policy: str = "error"
    """"error": refuse the frame. "clip": clip, NaN to 0, and count."""
    clipped_samples: int = 0

    def __post_init__(self) -> None:
        if self.policy not in CHOICES:
            wrong = f'is {self.policy!r}; expected "error" or "clip"'
            raise InvalidFramesError(f"out_of_range {wrong}", faults=[FieldViolation("out_of_range", wrong)])

    def refuse(self, lowest: float, highest: float, nan_samples: int) -> ValueRangeError:
        """The error for a frame with values from `lowest` to `highest` (0 to 1 is right)."""
        seen = f"values from {lowest:.6g} to {highest:.6g}"
        if nan_samples:
            seen = f"{nan_samples} NaN and {seen}"
        return ValueRangeError(f"frames hold {seen}; expected 0 to 1{_advice(lowest, highest)}")


def _advice(lowest: float, highest: float) -> str:
    if 1.5 < highest <= 255.5 and lowest >= -0.5:
        return "; they look like 0 to 255: pass frames / 255, or uint8"
    if -1.5 <= lowest < 0 and highest <= 1.5:
        return "; if they are meant as -1 to 1, pass (frames + 1) / 2"
    return ""
