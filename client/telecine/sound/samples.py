"""Turns arrays and tensors of samples into interleaved little-endian bytes; refuses what is not clear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.exceptions import InvalidFramesError
from telecine.request.sound import AudioFormat

Samples = npt.NDArray[Any]
_DTYPES: dict[str, np.dtype[Any]] = {"s16": np.dtype("<i2"), "s32": np.dtype("<i4"), "flt": np.dtype("<f4")}
_TORCH_FLOATS = {"torch.float16", "torch.bfloat16", "torch.float32", "torch.float64"}
_PART_SAMPLES = 1 << 17
_EXPECTED = "int16, int32, or a float from -1 to 1"
_LOUD = 8.0
"""18 dB above full scale: a mix that is too hot stays below, integers in floats do not."""
_MOST_LOUD = 0.01
"""Of the values of a piece that are not 0."""
_FULL_SCALES = {"int8": 1 << 7, "int16": 1 << 15, "int32": 1 << 31}


def as_array(samples: Any) -> Samples:
    """Views samples as numpy, off any device; floats as float32. Raises InvalidFramesError."""
    if hasattr(samples, "detach") and hasattr(samples, "cpu"):
        samples = samples.detach()
        if str(samples.dtype) in _TORCH_FLOATS:
            samples = samples.float()
        samples = samples.cpu().numpy()
    try:
        array = np.from_dlpack(samples) if _needs_dlpack(samples) else np.asarray(samples)
    except Exception as error:  # a foreign library may raise anything
        raise InvalidFramesError(
            f"sound of type {type(samples).__qualname__} cannot be read: {error}; "
            "expected arrays or tensors, a WAV file, or frames of PyAV"
        ) from error
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        return array.astype(np.float32) if array.dtype != np.float32 else array
    if array.dtype.kind == "i" and array.dtype.itemsize in {2, 4}:
        return array
    raise InvalidFramesError(f"sound has dtype {array.dtype}; expected {_EXPECTED}")


def _needs_dlpack(samples: Any) -> bool:
    return hasattr(samples, "__dlpack__") and not isinstance(samples, np.ndarray)


def format_of(array: Samples) -> str:
    """The sample format that an array from `as_array` is sent in."""
    if array.dtype.kind == "f":
        return "flt"
    return "s16" if array.dtype.itemsize == 2 else "s32"


def samples_first(array: Samples, layout: str, channels: int, axes: str) -> Samples:
    """The same samples with shape (samples, channels). Raises InvalidFramesError for what is not clear."""
    shape = "x".join(map(str, array.shape))
    if array.ndim == 1 and channels == 1:
        return array[:, None]
    if array.ndim == 1:
        raise InvalidFramesError(
            f"sound of shape ({shape},) has one channel; the layout {layout} has {channels}"
        )
    if array.ndim != 2:
        raise InvalidFramesError(
            f"sound has shape {shape}; expected (channels, samples) or (samples, channels)"
            + ("; take one entry of the batch" if array.ndim == 3 else "")
        )
    if axes not in {"", "CN", "NC"}:
        raise InvalidFramesError(f'audio.axes is {axes!r}; expected "CN" (channels first) or "NC"')
    fits = {"CN": array.shape[0] == channels, "NC": array.shape[1] == channels}
    if axes and not fits[axes]:
        raise InvalidFramesError(f"sound of shape {shape} has not {channels} channels ({layout}) as {axes}")
    if not any(fits.values()):
        raise InvalidFramesError(
            f"sound of shape {shape} has no axis of {channels} channels, which {layout} has"
        )
    if not axes and all(fits.values()) and channels > 1:
        raise InvalidFramesError(
            f"sound of shape {shape} has {channels} channels ({layout}) either way; "
            'say which with audio.axes: "CN" (channels first) or "NC"'
        )
    is_first = axes == "CN" or (not axes and fits["CN"])
    return array.T if is_first else array


class Converter:
    """Converts the pieces of one track, in the order of their time. Not thread-safe."""

    def __init__(self, track: AudioFormat, axes: str = "") -> None:
        self.track = track
        self.axes = axes
        self.clipped_samples = 0
        """Values beyond -1 or 1 that were clipped."""
        self.samples = 0
        """How many were converted."""

    def convert(self, samples: Any) -> Iterator[memoryview]:
        """The bytes of a piece, not too many at a time. Raises InvalidFramesError."""
        array = as_array(samples)
        found, expected = format_of(array), self.track.sample_format
        if found != expected:
            raise InvalidFramesError(
                f"a piece of sound is {found} ({array.dtype}); the track was declared as {expected}"
            )
        track = self.track
        ordered = samples_first(array, track.layout, track.channels, self.axes)
        if not self.axes and array.ndim == 2 and track.channels > 1:
            # The last piece of a stream may fit both ways.
            self.axes = "NC" if array.shape[1] == track.channels else "CN"
        starts = range(0, len(ordered), _PART_SAMPLES)
        if found == "flt":
            # All of it first: nothing of a refused piece is sent, so that it can be pushed again.
            for start in starts:
                self._require_finite(ordered[start : start + _PART_SAMPLES], start)
            _require_full_scale(ordered)
        for start in starts:
            part = ordered[start : start + _PART_SAMPLES]
            if found == "flt":
                part = self._in_range(part)
            self.samples += len(part)
            plain: Samples = np.ascontiguousarray(part, _DTYPES[found])
            yield plain.data.cast("B")

    def _require_finite(self, part: Samples, start: int) -> None:
        is_finite = np.isfinite(part)
        if not is_finite.all():
            sample, channel = np.argwhere(~is_finite)[0]
            raise InvalidFramesError(
                f"sample {self.samples + start + int(sample)} of channel {int(channel)} of the sound "
                "is NaN or infinite"
            )

    def _in_range(self, ordered: Samples) -> Samples:
        beyond = int(np.count_nonzero(np.abs(ordered) > 1))
        self.clipped_samples += beyond
        return np.clip(ordered, -1, 1) if beyond else ordered


def _require_full_scale(ordered: Samples) -> None:
    """Refuses integers in floats, which clipping would turn into noise at full scale."""
    parts = [ordered[start : start + _PART_SAMPLES] for start in range(0, len(ordered), _PART_SAMPLES)]
    loud = sum(int(np.count_nonzero(np.abs(part) > _LOUD)) for part in parts)
    if not loud or loud <= _MOST_LOUD * sum(int(np.count_nonzero(part)) for part in parts):
        return
    peak = max(float(np.abs(part).max()) for part in parts)
    fitting = ((name, scale) for name, scale in _FULL_SCALES.items() if peak <= scale)
    name, scale = next(fitting, ("", 0))
    advice = f"they look like {name} values in floats: divide them by {scale}" if scale else "scale them"
    raise InvalidFramesError(
        f"the sound has floats of up to {peak:g}, {loud} of them beyond {_LOUD:g}; expected -1 to 1; {advice}"
    )
