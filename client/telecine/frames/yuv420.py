"""Converts rgb24 frames to yuv420p, BT.709 limited, with exactly the server's values.

The arithmetic is swscale's (SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT), as `encoder_service/worker/color.py`
states it; numpy only, a few rows at a time, in memory that is allocated once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int32]

LUMA = (5983, 20127, 2032)
CHROMA_U = (-3298, -11094, 14392)
CHROMA_V = (14392, -13073, -1320)
LUMA_ROUNDING = 524544
CHROMA_ROUNDING = 8389120
# So many pixels of 32-bit intermediates stay within a core's own cache.
_BLOCK_PIXELS = 1 << 15


class Yuv420Converter:
    """Converts frames of one size; keeps its scratch memory. Not thread-safe."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._chroma_width, self._chroma_height = (width + 1) // 2, (height + 1) // 2
        luma, chroma = width * height, self._chroma_width * self._chroma_height
        self._frame = np.empty(luma + 2 * chroma, np.uint8)
        self._luma = self._frame[:luma].reshape(height, width)
        planes = self._frame[luma:].reshape(2, self._chroma_height, self._chroma_width)
        self._planes = planes
        self._block_rows = max(2, _BLOCK_PIXELS // max(1, width) // 2 * 2)

    def convert(self, rgb: Samples) -> Samples:
        """Converts one frame, uint8 of shape (height, width, 3).

        Returns its bytes in planes Y, U, V (1.5 a pixel; odd sizes are rounded up, the last column or
        row counting twice for chroma). They are valid until the next call.
        """
        if rgb.shape != (self._height, self._width, 3) or rgb.dtype != np.uint8:
            raise ValueError(f"expected uint8 of shape {(self._height, self._width, 3)}, not {rgb.shape}")
        for top in range(0, self._height, self._block_rows):
            bottom = min(top + self._block_rows, self._height)
            self._convert_rows(rgb[top:bottom], top, bottom)
        return self._frame

    def _convert_rows(self, rgb: Samples, top: int, bottom: int) -> None:
        channels: _Ints = np.ascontiguousarray(np.moveaxis(rgb, 2, 0), dtype=np.int32)
        luma = weighted(channels, LUMA, LUMA_ROUNDING)
        luma >>= 9
        luma *= 2
        luma += 64
        luma >>= 7
        self._luma[top:bottom] = luma
        pairs = _sums_of_neighbours(channels)
        for plane, weights in zip(self._planes, (CHROMA_U, CHROMA_V), strict=True):
            rows = weighted(pairs, weights, CHROMA_ROUNDING)
            rows >>= 10
            if self._chroma_height == 1:
                rows = rows[[-1, -1]]  # so does swscale: with one row of chroma it never mixes two of luma
            elif rows.shape[0] % 2:
                rows = np.concatenate((rows, rows[-1:]))
            blocks = rows[0::2] + rows[1::2]
            blocks += 64
            blocks >>= 7
            plane[top // 2 : (bottom + 1) // 2] = blocks


def weighted(channels: Any, weights: tuple[int, int, int], rounding: int) -> Any:
    """A plane in fixed point, of three channels of int32, in arrays or tensors; `rounding` is added."""
    total = channels[0] * weights[0]
    total += channels[1] * weights[1]
    total += channels[2] * weights[2]
    total += rounding
    return total


def _sums_of_neighbours(channels: _Ints) -> _Ints:
    if channels.shape[2] % 2:
        padding: Any = channels[:, :, -1:]
        channels = np.concatenate((channels, padding), axis=2)
    return channels[:, :, 0::2] + channels[:, :, 1::2]
