"""Blends a drawing into the planes of a frame, in the frame's own depth, matrix and range.

Blending happens in the coded values: value * (1 - alpha) + drawing * alpha, rounded to nearest. As the way
from R'G'B' to Y'CbCr is linear, this is the same as blending in R'G'B'; where chroma has half the size, its
alpha is the mean of the pixels that share it (sited in their centre, as everywhere here).
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from encoder_service.spec.spec import Color, ColorRange, PixelFormat
from encoder_service.worker.drawing.colors import luma_weights
from encoder_service.worker.libav.pictures import PictureFormat, Samples

Drawing = npt.NDArray[np.float32]
"""Shape (rows, columns, 4): R'G'B' in the frames' own values times alpha, and alpha; from 0 to 1."""

Plane = npt.NDArray[np.float32]

_SHIFTS = {PixelFormat.P010LE: 6}
_HALF_CHROMA = {PixelFormat.YUV420P, PixelFormat.NV12, PixelFormat.P010LE, PixelFormat.YUV420P10LE}
_PAIRED_CHROMA = {PixelFormat.NV12, PixelFormat.P010LE}


class Patch(msgspec.Struct, frozen=True):
    """What is done to one plane: region * keep + add."""

    plane: int
    top: int
    left: int
    keep: Plane
    add: Plane


class Stamp(msgspec.Struct, frozen=True):
    """A drawing made ready for frames of one layout; may be used by several threads."""

    patches: tuple[Patch, ...]
    shift: int
    """Samples stand in the high bits of 16, this far from the end."""
    is_over_alpha: bool
    """The frames have straight alpha, which the drawing adds to."""
    full: int
    """The largest sample."""

    def draw(self, planes: list[Samples]) -> None:
        """Blends the drawing into planes as `split_planes` gives them; they must be writable."""
        for patch in self.patches:
            rows, columns = patch.keep.shape[:2]
            region = planes[patch.plane][patch.top : patch.top + rows, patch.left : patch.left + columns]
            if self.is_over_alpha:
                region[...] = _over_straight_alpha(region, patch, self.full)
            else:
                values = (region >> self.shift).astype(np.float32) * patch.keep + patch.add
                region[...] = np.rint(values).astype(region.dtype) << self.shift


def make_stamp(drawing: Drawing, left: int, top: int, layout: PictureFormat) -> Stamp | None:
    """Makes a drawing ready to lie at `left`, `top` of frames of `layout`; None where nothing is seen of it.

    `layout.pixel_format` is one that frames are sent in. What lies outside of the frame is cut.
    """
    drawing, left, top = _cut(drawing, left, top, layout)
    if not drawing.size or not drawing[..., 3].any():
        return None
    pixel_format = PixelFormat(layout.pixel_format)
    bits = pixel_format.bits
    if pixel_format.is_rgb:
        patches = [_rgb_patch(drawing, left, top, layout.color, bits, has_alpha=pixel_format.has_alpha)]
    else:
        patches = _yuv_patches(drawing, left, top, layout)
    return Stamp(
        patches=tuple(patches),
        shift=_SHIFTS.get(pixel_format, 0),
        is_over_alpha=pixel_format.has_alpha,
        full=(1 << bits) - 1,
    )


def code_values(color: npt.NDArray[Any], layout: PictureFormat) -> list[npt.NDArray[Any]]:
    """One colour, R'G'B' from 0 to 1 in the frames' own values, as the samples of each of their planes."""
    drawing = np.ones((2, 2, 4), np.float32)
    drawing[..., :3] = color
    stamp = make_stamp(drawing, 0, 0, layout)
    patches = stamp.patches if stamp is not None else ()
    shift = stamp.shift if stamp is not None else 0
    full = stamp.full if stamp is not None and stamp.is_over_alpha else 1
    return [np.rint(patch.add[0, 0] * full).astype(np.uint16) << shift for patch in patches]


def _cut(drawing: Drawing, left: int, top: int, layout: PictureFormat) -> tuple[Drawing, int, int]:
    rows, columns = drawing.shape[:2]
    inside = drawing[
        max(0, -top) : max(0, min(rows, layout.height - top)),
        max(0, -left) : max(0, min(columns, layout.width - left)),
    ]
    return inside, max(0, left), max(0, top)


def _rgb_patch(drawing: Drawing, left: int, top: int, color: Color, bits: int, *, has_alpha: bool) -> Patch:
    alpha = drawing[..., 3:]
    if has_alpha:
        # Kept from 0 to 1: what is below it decides how much is seen.
        return Patch(0, top, left, 1 - alpha, drawing)
    offset, scale = _luma_range(color, bits)
    return Patch(0, top, left, 1 - alpha, drawing[..., :3] * np.float32(scale) + alpha * np.float32(offset))


def _yuv_patches(drawing: Drawing, left: int, top: int, layout: PictureFormat) -> list[Patch]:
    pixel_format, color = PixelFormat(layout.pixel_format), layout.color
    red, green, blue = luma_weights(color.matrix)
    alpha = drawing[..., 3]
    luma = drawing[..., :3] @ np.array([red, green, blue], np.float32)
    offset, scale = _luma_range(color, pixel_format.bits)
    patches = [Patch(0, top, left, 1 - alpha, luma * np.float32(scale) + alpha * np.float32(offset))]
    if pixel_format in {PixelFormat.GRAY8, PixelFormat.GRAY16LE}:
        return patches
    middle, span = _chroma_range(color, pixel_format.bits)
    differences = [(drawing[..., 2] - luma) / (2 * (1 - blue)), (drawing[..., 0] - luma) / (2 * (1 - red))]
    adds = [difference * np.float32(span) + alpha * np.float32(middle) for difference in differences]
    planes = [alpha, *(add.astype(np.float32) for add in adds)]
    if pixel_format in _HALF_CHROMA:
        is_at_edge = (top + alpha.shape[0] == layout.height, left + alpha.shape[1] == layout.width)
        planes = [_halved(plane, (top % 2, left % 2), is_at_edge) for plane in planes]
        left, top = left // 2, top // 2
    keep = 1 - planes[0]
    if pixel_format in _PAIRED_CHROMA:
        return [*patches, Patch(1, top, left, keep[..., None], np.stack(planes[1:], axis=-1))]
    return [*patches, Patch(1, top, left, keep, planes[1]), Patch(2, top, left, keep, planes[2])]


def _halved(plane: Plane, is_odd: tuple[int, int], is_at_edge: tuple[bool, bool]) -> Plane:
    """The mean of each block of 2 x 2; beyond the drawing there is nothing, beyond the frame more of it."""
    for axis in (0, 1):
        after = (plane.shape[axis] + is_odd[axis]) % 2
        margins = [(0, 0), (0, 0)]
        margins[axis] = (0, after)
        plane = np.pad(plane, margins, mode="edge") if is_at_edge[axis] else np.pad(plane, margins)
        margins[axis] = (is_odd[axis], 0)
        plane = np.pad(plane, margins)
    rows, columns = plane.shape
    halved: Plane = plane.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3), dtype=np.float32)
    return halved


def _luma_range(color: Color, bits: int) -> tuple[float, float]:
    """The sample of black, and how many lie between it and white (ITU-T H.273)."""
    if color.range == ColorRange.FULL:
        return 0.0, float((1 << bits) - 1)
    return float(16 << (bits - 8)), float(219 << (bits - 8))


def _chroma_range(color: Color, bits: int) -> tuple[float, float]:
    """The sample of no colour, and how many lie between the strongest ones."""
    span = (1 << bits) - 1 if color.range == ColorRange.FULL else 224 << (bits - 8)
    return float(1 << (bits - 1)), float(span)


def _over_straight_alpha(region: Samples, patch: Patch, full: int) -> Samples:
    below = region.astype(np.float32) / np.float32(full)
    color = patch.add[..., :3] + below[..., :3] * below[..., 3:] * patch.keep
    alpha = patch.add[..., 3:] + below[..., 3:] * patch.keep
    straight = np.where(alpha > 0, color / np.maximum(alpha, np.float32(1e-6)), below[..., :3])
    result = np.concatenate([straight, alpha], axis=-1)
    # Where nothing is drawn nothing changes, not even by rounding.
    drawn = np.rint(np.clip(result, 0, 1) * np.float32(full)).astype(region.dtype)
    return np.where(patch.keep == 1, region, drawn)
