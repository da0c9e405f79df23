"""Blending into planes gives what blending in RGB would have given, in each format that frames have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder_service.spec.spec import (
    BT709,
    SRGB,
    Color,
    ColorMatrix,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
)
from encoder_service.spec.spec import PixelFormat as Format
from encoder_service.worker.drawing.blend import Drawing, Stamp, code_values, make_stamp
from encoder_service.worker.libav.pictures import Converter, PictureFormat, planes_of, wrap

WIDTH, HEIGHT = 64, 48
BT601_FULL = Color(ColorPrimaries.BT709, ColorTransfer.BT709, ColorMatrix.SMPTE170M, ColorRange.FULL)
BT2020 = Color(ColorPrimaries.BT2020, ColorTransfer.BT709, ColorMatrix.BT2020NC, ColorRange.LIMITED)
YUV = [Format.YUV420P, Format.NV12, Format.YUV444P, Format.YUV420P10LE, Format.P010LE]
RGB = [Format.RGB24, Format.RGB48LE]

Planes = list[npt.NDArray[Any]]


def flat(color: tuple[float, float, float], alpha: float, rows: int = 16, columns: int = 20) -> Drawing:
    drawing = np.full((rows, columns, 4), alpha, np.float32)
    drawing[..., :3] *= np.array(color, np.float32)
    return drawing


def planes_as(rgb: npt.NDArray[np.uint16], layout: PictureFormat) -> Planes:
    """A picture of 16-bit RGB in another format."""
    source = PictureFormat("rgb48le", layout.width, layout.height, SRGB)
    return [np.array(plane) for plane in planes_of(Converter(source, layout).convert(wrap([rgb], source)))]


def stamped(planes: Planes, stamp: Stamp | None) -> Planes:
    assert stamp is not None
    copies = [plane.copy() for plane in planes]
    stamp.draw(copies)
    return copies


def background() -> npt.NDArray[np.uint16]:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint16)
    rgb[...] = (9000, 30000, 51000)
    return rgb


@pytest.mark.parametrize("color", [BT709, BT601_FULL, BT2020], ids=["bt709", "bt601-full", "bt2020"])
@pytest.mark.parametrize("pixel_format", [*YUV, *RGB])
@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_it_is_the_same_as_blending_in_rgb(pixel_format: Format, color: Color, alpha: float) -> None:
    if pixel_format.is_rgb:
        color = SRGB
    layout = PictureFormat(pixel_format.value, WIDTH, HEIGHT, color)
    drawing = flat((0.9, 0.2, 0.1), alpha)
    rgb = background()
    blended = rgb.astype(np.float64)
    area = blended[8:24, 10:30]
    area[...] = area * (1 - alpha) + np.array([0.9, 0.2, 0.1]) * 65535 * alpha
    expected = planes_as(np.rint(blended).astype(np.uint16), layout)
    found = stamped(planes_as(rgb, layout), make_stamp(drawing, 10, 8, layout))
    unit = {Format.P010LE: 64, Format.RGB48LE: 256}.get(pixel_format, 1)
    for before, after in zip(expected, found, strict=True):
        assert np.abs(before.astype(int) - after.astype(int)).max() <= 2 * unit


@pytest.mark.parametrize("pixel_format", [*YUV, *RGB, Format.GRAY8, Format.GRAY16LE])
@settings(max_examples=20, deadline=None)
@given(left=st.integers(-30, 70), top=st.integers(-30, 60), seed=st.integers(0, 99))
def test_only_what_lies_below_the_drawing_changes(
    pixel_format: Format, left: int, top: int, seed: int
) -> None:
    """Not by a bit: deep samples keep their depth, and odd places do not move the chroma."""
    layout = PictureFormat(pixel_format.value, WIDTH, HEIGHT, SRGB if pixel_format.is_rgb else BT709)
    top_value = {Format.P010LE: 1024, Format.YUV420P10LE: 1024}.get(pixel_format, 1 << pixel_format.bits)
    random = np.random.default_rng(seed)
    empty = planes_as(background(), layout) if not pixel_format.value.startswith("gray") else None
    shapes = [plane.shape for plane in empty] if empty else [(HEIGHT, WIDTH)]
    dtype = np.uint8 if pixel_format.bits == 8 else np.dtype("<u2")
    shift = 6 if pixel_format is Format.P010LE else 0
    planes = [(random.integers(0, top_value, shape) << shift).astype(dtype) for shape in shapes]
    stamp = make_stamp(flat((1, 1, 1), 0.5), left, top, layout)
    if stamp is None:
        assert left <= -20 or top <= -16 or left >= WIDTH or top >= HEIGHT
        return
    after = stamped(planes, stamp)
    for number, (old, new) in enumerate(zip(planes, after, strict=True)):
        half = old.shape[0] < HEIGHT
        box = np.zeros(old.shape[:2], bool)
        edges = (top, top + 16, left, left + 20)
        first, last, start, end = (edge // 2 if half else edge for edge in edges)
        box[max(0, first) : max(0, last + half), max(0, start) : max(0, end + half)] = True
        assert np.array_equal(old[~box], new[~box]), number
        assert not shift or not (new & 63).any()


def test_a_drawing_over_an_odd_edge_colours_the_last_column_in_full() -> None:
    layout = PictureFormat("yuv420p", 33, 17, BT709)
    planes = [np.full((17, 33), 16, np.uint8), *(np.full((9, 17), 128, np.uint8) for _ in range(2))]
    after = stamped(planes, make_stamp(flat((1, 0, 0), 1.0, 17, 33), 0, 0, layout))
    assert [np.unique(plane).tolist() for plane in after] == [[63], [102], [240]]


def test_straight_alpha_is_composed_and_nothing_below_is_touched() -> None:
    layout = PictureFormat("rgba", WIDTH, HEIGHT, SRGB)
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[:, 32:] = (0, 0, 255, 128)
    pixels[:, :32] = (1, 2, 3, 0)
    after = stamped([pixels], make_stamp(flat((1, 0, 0), 0.5, 10, 64), 0, 4, layout))[0]
    assert np.array_equal(after[:4], pixels[:4])
    assert after[6, 4].tolist() == [255, 0, 0, 128]
    over = after[6, 40].astype(int)
    assert over[3] == pytest.approx(255 * (0.5 + 0.5 * 128 / 255), abs=1)
    assert over[0] == pytest.approx(255 * 0.5 / (over[3] / 255), abs=1)


@pytest.mark.parametrize("pixel_format", [*YUV, *RGB, Format.RGBA, Format.GRAY8])
def test_black_and_white_have_the_samples_that_the_range_says(pixel_format: Format) -> None:
    full = (1 << pixel_format.bits) - 1
    unit = 1 << (pixel_format.bits - 8)
    shift = 6 if pixel_format is Format.P010LE else 0
    rgb = pixel_format.is_rgb
    layout = PictureFormat(pixel_format.value, WIDTH, HEIGHT, SRGB if rgb else BT709)
    white = code_values(np.ones(3, np.float32), layout)
    black = code_values(np.zeros(3, np.float32), layout)
    assert int(np.ravel(white[0])[0]) >> shift == (full if rgb else 235 * unit)
    assert int(np.ravel(black[0])[0]) >> shift == (0 if rgb else 16 * unit)
    assert all(int(value) >> shift == 128 * unit for plane in white[1:] for value in np.ravel(plane))
