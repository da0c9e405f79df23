"""Compares decoded pictures with the frames that were sent: mean and maximum error, PSNR and SSIM."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from encoder_service.evidence.facts import QualityReport

Rgb8 = npt.NDArray[np.uint8]
"""Shape (rows, columns, 3) or, with straight alpha, (rows, columns, 4)."""

_WINDOW = 8
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


class QualityMeter:
    """Sums up differences over frames, in 8-bit RGB; what is transparent counts as black."""

    def __init__(self) -> None:
        self._frames: list[int] = []
        self._samples = 0
        self._absolute = 0
        self._squares = 0
        self._largest = 0
        self._ssim = 0.0

    def add(self, frame: int, sent: Rgb8, decoded: Rgb8) -> None:
        """Takes in one frame; both arrays have the same shape."""
        before, after = _opaque(sent), _opaque(decoded)
        difference = np.maximum(before, after) - np.minimum(before, after)
        squares = np.square(difference, dtype=np.uint16)
        self._frames.append(frame)
        self._samples += difference.size
        self._absolute += int(difference.sum(dtype=np.int64))
        self._squares += int(squares.sum(dtype=np.int64))
        self._largest = max(self._largest, int(difference.max()))
        self._ssim += ssim(before, after) if difference.any() else 1.0

    @property
    def max_absolute_error(self) -> int:
        """The largest difference so far."""
        return self._largest

    def report(self) -> QualityReport | None:
        """The measures over all frames; None where there were none."""
        if not self._frames:
            return None
        return QualityReport(
            sampled_frames=tuple(self._frames),
            mean_absolute_error=self._absolute / self._samples,
            max_absolute_error=self._largest,
            psnr_db=psnr_db(self._squares, self._samples),
            ssim=self._ssim / len(self._frames),
        )


def psnr_db(squares: int, samples: int) -> float | None:
    """10 log10(255^2 / MSE) from the sum of squared differences; None: no difference."""
    return 10 * math.log10(255**2 * samples / squares) if squares else None


def ssim(before: Rgb8, after: Rgb8) -> float:
    """Mean structural similarity of the luma over 8 x 8 windows side by side (Wang et al. 2004)."""
    x, y = _luma(before), _luma(after)
    count = float(_WINDOW * _WINDOW)
    mean_x, mean_y = _window_sums(x) / count, _window_sums(y) / count
    products = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    covariance = _window_sums(x * y) / count - products
    variances = _window_sums(x * x + y * y) / count - squares
    similarity = (2 * products + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    return float(similarity.mean(dtype=np.float64))


def _opaque(pixels: Rgb8) -> Rgb8:
    if pixels.shape[2] == 3:
        return pixels
    color, alpha = pixels[..., :3].astype(np.uint16), pixels[..., 3:].astype(np.uint16)
    return ((color * alpha + 127) // 255).astype(np.uint8)


def _luma(pixels: Rgb8) -> npt.NDArray[np.float32]:
    luma: npt.NDArray[np.float32] = pixels.astype(np.float32) @ _LUMA
    return luma


def _window_sums(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # Pictures smaller than a window are one window; what does not fill one at the edges is left out.
    height, width = values.shape
    tall, wide = min(_WINDOW, height), min(_WINDOW, width)
    rows = values[: height - height % tall].reshape(height // tall, tall, width).sum(axis=1)
    columns = rows[:, : width - width % wide].reshape(rows.shape[0], width // wide, wide).sum(axis=2)
    sums: npt.NDArray[np.float32] = columns * np.float32(_WINDOW * _WINDOW / (tall * wide))
    return sums
