"""Finds the parts of a frame that need not be coded again, because the frame before shows them already.

The rule is that of libwebp's own animation encoder: blocks that differ by no more than a tolerance
are left transparent, and at fixed distances a frame is coded whole, so errors cannot stay.
"""

from __future__ import annotations

from functools import reduce

import msgspec
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Shape (rows, columns, channels)."""
Mask = npt.NDArray[np.bool_]
"""Shape (rows, columns); true where a pixel is coded."""

_LEAST_SHARE = 0.25
"""With fewer unchanged pixels than this, an alpha channel costs more than it saves."""

_PROBE_STEP = 8
_LEAST_PROBES = 4


class Change(msgspec.Struct, frozen=True):
    """The rectangle of a frame that is to be coded, and which of its pixels."""

    x: int
    """Even."""
    y: int
    """Even."""
    width: int
    height: int
    coded: Mask | None
    """None: all pixels of the rectangle."""


class ReuseRule(msgspec.Struct, frozen=True):
    """What may be taken over from the frame before."""

    tolerance: int
    """Largest difference of a sample, in 8-bit code values."""
    block: int
    """Side of the squares that are taken over as one; 1: single pixels."""
    key_interval: int
    """Every how many frames one is coded whole; 1: each."""
    can_blend: bool
    """Single blocks may be left out; else only what lies outside of one rectangle."""


def lossy_rule(quality: int, key_interval: int, *, can_blend: bool) -> ReuseRule:
    """libwebp's rule for lossy frames: from 31 code values at quality 0 down to 1 at quality 100."""
    share = (quality / 100) ** 0.5
    return ReuseRule(int(31 * (1 - share) + share), 8, key_interval, can_blend)


def lossless_rule(key_interval: int, *, can_blend: bool) -> ReuseRule:
    """Only equal pixels are taken over."""
    return ReuseRule(0, 1, key_interval, can_blend)


class Reuse:
    """Follows a clip frame by frame. What is taken over stays within the tolerance of what was coded."""

    def __init__(self, rule: ReuseRule) -> None:
        self._rule = rule
        self._shown: Pixels | None = None
        self._since_key = 0

    def plan(self, frame: Pixels) -> Change:
        """Decides about the next frame, and takes the decision as carried out. `frame` is kept."""
        rows, columns = frame.shape[:2]
        whole = Change(0, 0, columns, rows, None)
        shown = self._shown
        self._since_key += 1
        if shown is None or self._since_key >= self._rule.key_interval:
            return self._whole(frame, whole)
        # Most frames of a moving picture are found out by a part of their rows.
        if _is_moving(self._changed_blocks(*_some_rows(frame, shown, self._rule.block))):
            return self._whole(frame, whole)
        changed = self._changed_blocks(frame, shown)
        if _is_moving(changed):
            return self._whole(frame, whole)
        if not changed.any():
            return Change(0, 0, 1, 1, np.zeros((1, 1), np.bool_) if self._rule.can_blend else None)
        x, y, width, height = _bounds(changed, self._rule.block, columns, rows)
        inside = (slice(y, y + height), slice(x, x + width))
        if not self._rule.can_blend:
            self._shown = shown = shown.copy()
            shown[inside] = frame[inside]
            return Change(x, y, width, height, None)
        # Without tolerance the canvas is the frame itself.
        self._shown = _taken_over(frame, shown, changed, self._rule.block) if self._rule.tolerance else frame
        part = _spread(changed, self._rule.block, columns, rows)[inside]
        return Change(x, y, width, height, None if part.all() else part)

    def _whole(self, frame: Pixels, whole: Change) -> Change:
        self._shown, self._since_key = frame, 0
        return whole

    def _changed_blocks(self, frame: Pixels, shown: Pixels) -> Mask:
        difference = np.maximum(frame, shown)
        difference -= np.minimum(frame, shown)
        changed: Mask = _block_maxima(difference, self._rule.block) > self._rule.tolerance
        return changed


def _is_moving(changed: Mask) -> bool:
    return bool(changed.mean() > 1 - _LEAST_SHARE)


def _some_rows(frame: Pixels, shown: Pixels, side: int) -> tuple[Pixels, Pixels]:
    """Every eighth row of blocks, if there are enough of them to decide by."""
    rows = frame.shape[0] // side
    if rows < _PROBE_STEP * _LEAST_PROBES:
        return frame, shown
    wanted = slice(_PROBE_STEP // 2, None, _PROBE_STEP)
    first, second = (
        pixels[: rows * side].reshape(rows, side, *pixels.shape[1:])[wanted].reshape(-1, *pixels.shape[1:])
        for pixels in (frame, shown)
    )
    return first, second


def _block_maxima(samples: Pixels, side: int) -> Pixels:
    """The largest sample of each square; those at the right and lower edge may be smaller."""
    rows, columns, channels = samples.shape
    if side == 1:
        first, *others = (samples[..., channel] for channel in range(channels))
        return reduce(np.maximum, others, first)
    margins = (-rows % side, -columns % side)
    if any(margins):
        samples = np.pad(samples, ((0, margins[0]), (0, margins[1]), (0, 0)))
    down, across = samples.shape[0] // side, samples.shape[1] // side
    by_rows = samples.reshape(down, side, -1).max(axis=1)
    maxima: Pixels = by_rows.reshape(down, across, side * channels).max(axis=2)
    return maxima


def _taken_over(frame: Pixels, shown: Pixels, changed: Mask, side: int) -> Pixels:
    """What the canvas shows once the changed blocks are drawn."""
    rows, columns, channels = frame.shape
    if rows % side or columns % side or not frame.flags.c_contiguous:
        return np.where(_spread(changed, side, columns, rows)[..., None], frame, shown)
    canvas = shown.copy()
    shape = (rows // side, side, columns // side, side * channels)
    # By whole blocks: five times as fast as by pixels.
    canvas.reshape(shape).swapaxes(1, 2)[changed] = frame.reshape(shape).swapaxes(1, 2)[changed]
    return canvas


def _spread(blocks: Mask, side: int, columns: int, rows: int) -> Mask:
    return blocks.repeat(side, axis=0)[:rows].repeat(side, axis=1)[:, :columns]


def _bounds(blocks: Mask, side: int, columns: int, rows: int) -> tuple[int, int, int, int]:
    """The rectangle of pixels around all true blocks, beginning at even pixels."""
    down, across = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
    x, y = int(across[0]) * side // 2 * 2, int(down[0]) * side // 2 * 2
    right, bottom = min((int(across[-1]) + 1) * side, columns), min((int(down[-1]) + 1) * side, rows)
    return x, y, right - x, bottom - y
