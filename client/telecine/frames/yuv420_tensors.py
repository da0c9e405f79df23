"""Converts rgb24 tensors to yuv420p, BT.709 limited, on their own device: half the bytes leave it.

The arithmetic, and so every value, is that of `yuv420`. torch is never imported here: a tensor's own methods
suffice.
"""

from __future__ import annotations

from typing import Any

from telecine.frames.yuv420 import CHROMA_ROUNDING, CHROMA_U, CHROMA_V, LUMA, LUMA_ROUNDING, weighted


def yuv420_of(rgb: Any) -> Any:
    """The bytes of each frame in planes Y, U, V: uint8 of shape (frames, bytes of a frame).

    `rgb` is uint8 of shape (frames, height, width, 3), on any device, where the result is too. Odd sizes are
    rounded up, the last column or row counting twice for chroma.
    """
    count, height, width, _ = (int(side) for side in rgb.shape)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    luma_bytes, plane_bytes = height * width, rows * columns
    planes = rgb.new_empty((count, luma_bytes + 2 * plane_bytes))
    red, green, blue = rgb.int().unbind(dim=3)
    luma = weighted((red, green, blue), LUMA, LUMA_ROUNDING) >> 9
    planes[:, :luma_bytes] = ((luma * 2 + 64) >> 7).reshape(count, -1)
    pairs = tuple(_sums_of_neighbours(channel) for channel in (red, green, blue))
    for number, weights in enumerate((CHROMA_U, CHROMA_V)):
        values = weighted(pairs, weights, CHROMA_ROUNDING) >> 10
        upper, lower = values[:, 0::2], values[:, 1::2]
        if rows == 1:
            upper = lower = values[:, -1:]  # so does swscale, and so does `yuv420`
        blocks = upper.clone()
        blocks[:, : lower.shape[1]] += lower
        if lower.shape[1] < rows:
            blocks[:, -1] += upper[:, -1]
        begin = luma_bytes + number * plane_bytes
        planes[:, begin : begin + plane_bytes] = ((blocks + 64) >> 7).reshape(count, -1)
    return planes


def _sums_of_neighbours(channel: Any) -> Any:
    sums = channel[:, :, 0::2].clone()
    right = channel[:, :, 1::2]
    sums[:, :, : right.shape[2]] += right
    if right.shape[2] < sums.shape[2]:
        sums[:, :, -1] += channel[:, :, -1]
    return sums
