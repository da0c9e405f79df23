"""Pictures are converted between all pixel formats of the contract, and each colour stays what it is."""

from __future__ import annotations

from itertools import product

import av
import numpy as np
import pytest

from encoder_service.spec.spec import Color, ColorMatrix, ColorPrimaries, ColorRange, ColorTransfer
from encoder_service.worker.libav.pictures import Converter, Picture, PictureFormat, describe, planes_of

WIDTH, HEIGHT = 64, 48
CODED = ("yuv420p", "nv12", "yuv422p", "yuv444p", "yuv420p10le", "p010le", "yuv422p10le", "yuv444p10le")
MADE = (*CODED, "rgb24", "rgba", "rgb48le", "rgba64le")


def saturated() -> Picture:
    """Bars of the corners of the RGB cube, in BT.601."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bar in range(8):
        picture[:, bar * 8 : bar * 8 + 8] = [255 * (bar >> channel & 1) for channel in range(3)]
    return av.VideoFrame.from_ndarray(picture).reformat(format="yuv444p16le", dst_colorspace=5)


def form(name: str, matrix: ColorMatrix) -> PictureFormat:
    is_rgb = describe(name).is_rgb
    color = Color(
        ColorPrimaries.BT709,
        ColorTransfer.BT709,
        ColorMatrix.RGB if is_rgb else matrix,
        ColorRange.FULL if is_rgb else ColorRange.LIMITED,
    )
    return PictureFormat(name, WIDTH, HEIGHT, color)


@pytest.mark.parametrize("matrix", [ColorMatrix.BT709, ColorMatrix.SMPTE170M, ColorMatrix.BT2020NC])
def test_saturated_colours_stay_what_they_are(matrix: ColorMatrix) -> None:
    wrong = []
    for coded, made in product(CODED, MADE):
        source = form(coded, ColorMatrix.SMPTE170M)
        picture = saturated().reformat(format=coded, src_colorspace=5, dst_colorspace=5)
        converted = Converter(source, form(made, matrix)).convert(picture)
        back = Converter(form(made, matrix), form("rgb24", ColorMatrix.RGB)).convert(converted)
        bars = planes_of(back)[0][HEIGHT // 2, 4::8].astype(int)
        expected = np.array([[255 * (bar >> channel & 1) for channel in range(3)] for bar in range(8)])
        if np.abs(bars - expected).max() > 12:
            wrong.append((coded, made, int(np.abs(bars - expected).max())))
    assert wrong == []
