"""Quality: the measures are those of the textbooks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from encoder_service.worker.quality import QualityMeter, psnr_db, ssim


def noise(seed: int, *shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def textbook_ssim(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> float:
    weights = [0.2126, 0.7152, 0.0722]
    x, y = before @ weights, after @ weights
    values = []
    for row in range(0, x.shape[0] - 7, 8):
        for column in range(0, x.shape[1] - 7, 8):
            a, b = x[row : row + 8, column : column + 8], y[row : row + 8, column : column + 8]
            covariance = ((a - a.mean()) * (b - b.mean())).mean()
            top = (2 * a.mean() * b.mean() + 6.5025) * (2 * covariance + 58.5225)
            values.append(top / ((a.mean() ** 2 + b.mean() ** 2 + 6.5025) * (a.var() + b.var() + 58.5225)))
    return float(np.mean(values))


def test_equal_pictures_have_no_error() -> None:
    meter = QualityMeter()
    picture = noise(1, 20, 30, 3)
    meter.add(5, picture, picture.copy())
    report = meter.report()
    assert report is not None
    assert (report.max_absolute_error, report.mean_absolute_error, report.psnr_db) == (0, 0, None)
    assert report.ssim == 1
    assert report.sampled_frames == (5,)


def test_the_measures_are_those_of_the_textbook() -> None:
    before, after = noise(1, 40, 64, 3), noise(2, 40, 64, 3)
    meter = QualityMeter()
    meter.add(0, before, after)
    report = meter.report()
    assert report is not None
    difference = before.astype(float) - after
    assert report.mean_absolute_error == pytest.approx(np.abs(difference).mean())
    assert report.max_absolute_error == int(np.abs(difference).max())
    assert report.psnr_db == pytest.approx(10 * math.log10(255**2 / (difference**2).mean()))
    assert report.ssim == pytest.approx(textbook_ssim(before, after), abs=1e-4)


def test_frames_are_averaged() -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    meter = QualityMeter()
    meter.add(0, black, black)
    meter.add(48, black, black + 10)
    report = meter.report()
    assert report is not None
    assert (report.mean_absolute_error, report.max_absolute_error) == (5, 10)
    assert report.psnr_db == pytest.approx(10 * math.log10(255**2 / 50))


def test_what_is_transparent_counts_as_black() -> None:
    sent = np.dstack([noise(1, 16, 16, 3), np.zeros((16, 16), np.uint8)])
    shown = np.dstack([noise(2, 16, 16, 3), np.zeros((16, 16), np.uint8)])
    meter = QualityMeter()
    meter.add(0, sent, shown)
    assert meter.max_absolute_error == 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 200, 3), (9, 17, 3)])
def test_any_size_can_be_compared(shape: tuple[int, int, int]) -> None:
    assert -1 <= ssim(noise(1, *shape), noise(2, *shape)) <= 1


def test_nothing_compared_is_no_report() -> None:
    assert QualityMeter().report() is None
    assert psnr_db(0, 100) is None
