"""Reads from a shape what its axes mean: frames, rows, columns, samples of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telecine.exceptions import InvalidFramesError
from telecine.exceptions.root import FieldViolation


class Axes(StrEnum):
    """How one frame lies in an array."""

    CHANNELS_LAST = "HWC"
    CHANNELS_FIRST = "CHW"
    GRAY = "HW"


CHANNELS_FIRST_OF_ALL = "CTHW"
"""What the decoders of video models give: a layout whose first two axes change places before it is read."""
_DECLARED = {
    CHANNELS_FIRST_OF_ALL: Axes.CHANNELS_FIRST,
    "THWC": Axes.CHANNELS_LAST,
    "HWC": Axes.CHANNELS_LAST,
    "TCHW": Axes.CHANNELS_FIRST,
    "CHW": Axes.CHANNELS_FIRST,
    "THW": Axes.GRAY,
    "HW": Axes.GRAY,
}
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The meaning of a shape."""

    axes: Axes
    is_clip: bool
    """The first axis counts frames; False: the array is one frame."""
    height: int
    width: int
    channels: int


def declared_axes(layout: str) -> Axes | None:
    """Reads a caller's `layout`: None for "auto". Raises InvalidFramesError."""
    if layout == "auto":
        return None
    if not isinstance(layout, str) or layout not in _DECLARED:
        wrong = f'is {layout!r}; expected "auto" or one of {", ".join(_DECLARED)}'
        raise InvalidFramesError(f"layout {wrong}", faults=[FieldViolation("layout", wrong)])
    return _DECLARED[layout]


def arrange(shape: tuple[int, ...], declared: Axes | None) -> Arrangement:
    """Says what the axes of `shape` mean. Raises InvalidFramesError where that is wrong or ambiguous.

    Without a declaration channels come last: (T, H, W, C), (H, W, C), (T, H, W), (H, W), C in 1, 3, 4.
    """
    axes = declared or _guess(shape)
    frame_axes = len(axes)
    if len(shape) not in {frame_axes, frame_axes + 1}:
        raise InvalidFramesError(f"frames of shape {shape} do not fit layout {axes.value} or T{axes.value}")
    is_clip = len(shape) > frame_axes
    frame = shape[-frame_axes:]
    if axes is Axes.GRAY:
        height, width, channels = *frame, 1
    elif axes is Axes.CHANNELS_LAST:
        height, width, channels = frame
    else:
        channels, height, width = frame
    if channels not in _CHANNELS:
        raise InvalidFramesError(f"shape {shape} has {channels} channels; expected 1, 3 or 4")
    if min(height, width) < 1:
        raise InvalidFramesError(f"shape {shape} has no pixels")
    return Arrangement(axes, is_clip, height, width, channels)


def _guess(shape: tuple[int, ...]) -> Axes:
    if len(shape) == 2:
        return Axes.GRAY
    if len(shape) in {3, 4} and shape[-1] in _CHANNELS:
        return Axes.CHANNELS_LAST
    if len(shape) == 3 and shape[0] not in {3, 4}:
        return Axes.GRAY
    if likely := _likely(shape):
        other = ' or layout="THW" for gray frames' if likely == "CHW" else ""
        if len(shape) == 4 and shape[0] in _CHANNELS and shape[1] in _CHANNELS:
            second = "TCHW" if likely == CHANNELS_FIRST_OF_ALL else CHANNELS_FIRST_OF_ALL
            other = f', or layout="{second}"; both have as many channels as a picture may have'
        raise InvalidFramesError(
            f'shape {shape} looks like {likely}; declare layout="{likely}"{other}',
            recovery=f'Pass layout="{likely}".',
        )
    if len(shape) == 5:
        inside = _likely(shape[1:])
        layout = f' with layout="{inside}"' if inside else ""
        raise InvalidFramesError(
            f"shape {shape} has 5 axes, as a batch has; encode one clip: frames[0]{layout}",
            recovery=f"Pass frames[0]{layout}, one clip of the batch at a time.",
        )
    raise InvalidFramesError(f"frames of shape {shape} cannot be told apart; expected (T, H, W, C)")


def _likely(shape: tuple[int, ...]) -> str:
    """The layout with channels further to the front that a shape suggests; empty: none."""
    if shape[-1] in _CHANNELS:
        return ""
    if len(shape) == 3 and shape[0] in _CHANNELS:
        return "CHW"
    if len(shape) != 4:
        return ""
    if shape[1] in {3, 4} or (shape[1] == 1 and shape[0] not in {3, 4}):
        return "TCHW"
    return CHANNELS_FIRST_OF_ALL if shape[0] in _CHANNELS else ""
