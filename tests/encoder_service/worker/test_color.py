"""Colour: the documented arithmetic is what the service computes, and rules decide what is tagged."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import (
    BT709,
    SRGB,
    Color,
    ColorMatrix,
    ColorOverride,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
)
from encoder_service.worker.color import output_color, tags_from_codes, tags_of
from encoder_service.worker.libav.pictures import Converter, PictureFormat, planes_of, wrap

Plane = npt.NDArray[Any]
NO_OVERRIDE = ColorOverride()
SMPTE170M = Color(
    ColorPrimaries.SMPTE170M, ColorTransfer.SMPTE170M, ColorMatrix.SMPTE170M, ColorRange.LIMITED
)
FULL_BT709 = Color(ColorPrimaries.BT709, ColorTransfer.BT709, ColorMatrix.BT709, ColorRange.FULL)


def reference_yuv420p(rgb: Plane) -> list[Plane]:
    """RGB24 to yuv420p, BT.709 limited, as `color` documents it; both sides even, at least 4 rows."""
    pixels = rgb.astype(np.int32)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    luma = ((((5983 * red + 20127 * green + 2032 * blue + 524544) >> 9) * 2) + 64) >> 7
    red, green, blue = (plane[:, 0::2] + plane[:, 1::2] for plane in (red, green, blue))
    u = (-3298 * red - 11094 * green + 14392 * blue + 8389120) >> 10
    v = (14392 * red - 13073 * green - 1320 * blue + 8389120) >> 10
    return [luma, *((chroma[0::2] + chroma[1::2] + 64) >> 7 for chroma in (u, v))]


def converted(
    planes: list[Plane], source: str, target: str, source_color: Color, target_color: Color, threads: int = 1
) -> list[Plane]:
    height, width = planes[0].shape[:2]
    before = PictureFormat(source, width, height, source_color)
    after = PictureFormat(target, width, height, target_color)
    return planes_of(Converter(before, after, threads=threads).convert(wrap(planes, before)))


def yuv(rgb: Plane, bits: int) -> list[Plane]:
    """BT.709 limited in real numbers, of values from 0 to 1."""
    luma = rgb @ [0.2126, 0.7152, 0.0722]
    scale = 2 ** (bits - 8)
    blue, red = (rgb[..., 2] - luma) / 1.8556, (rgb[..., 0] - luma) / 1.5748
    return [(16 + 219 * luma) * scale, (128 + 224 * blue) * scale, (128 + 224 * red) * scale]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    half_rows=st.integers(2, 24),
    half_columns=st.integers(1, 40),
    threads=st.integers(1, 3),
)
def test_the_documented_arithmetic_is_exact(
    seed: int, half_rows: int, half_columns: int, threads: int
) -> None:
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (2 * half_rows, 2 * half_columns, 3), np.uint8)
    found = converted([rgb], "rgb24", "yuv420p", SRGB, BT709, threads)
    for plane, expected in zip(found, reference_yuv420p(rgb), strict=True):
        assert np.array_equal(plane, expected)


def test_the_documented_arithmetic_holds_at_the_corners_of_the_cube() -> None:
    corners = np.array(np.meshgrid([0, 1, 127, 128, 254, 255], [0, 255, 128], [0, 255, 3])).T.reshape(-1, 3)
    rgb = np.tile(corners.astype(np.uint8), (4, 1, 1))
    rgb = rgb[:, : rgb.shape[1] // 2 * 2]
    for plane, expected in zip(
        converted([rgb], "rgb24", "yuv420p", SRGB, BT709), reference_yuv420p(rgb), strict=True
    ):
        assert np.array_equal(plane, expected)


@pytest.mark.parametrize(("target", "bits", "limit"), [("yuv444p", 8, 0.6), ("yuv444p10le", 10, 0.6)])
def test_eight_bit_rgb_is_rounded_to_the_nearest_value(target: str, bits: int, limit: float) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)
    found = converted([rgb], "rgb24", target, SRGB, BT709)
    for plane, exact in zip(found, yuv(rgb / 255, bits), strict=True):
        assert np.abs(plane - exact).max() < limit


@pytest.mark.parametrize(("target", "bits", "limit"), [("yuv444p", 8, 1.0), ("yuv444p10le", 10, 0.6)])
def test_sixteen_bit_white_is_white(target: str, bits: int, limit: float) -> None:
    rgb = np.random.default_rng(0).integers(0, 65536, (16, 32, 3)).astype("<u2")
    rgb[0, :4] = 65535
    rgb[1, :4] = 0
    found = converted([rgb], "rgb48le", target, SRGB, BT709)
    for plane, exact in zip(found, yuv(rgb / 65535, bits), strict=True):
        assert np.abs(plane - exact).max() < limit


@pytest.mark.parametrize(("source", "full"), [("gray", 255), ("gray16le", 65535)])
@pytest.mark.parametrize(("target", "scale"), [("yuv420p", 1), ("yuv420p10le", 4)])
def test_gray_becomes_luma_with_neutral_chroma(source: str, full: int, target: str, scale: int) -> None:
    ramp = np.linspace(0, full, 1024).reshape(32, 32).astype("<u2" if full > 255 else np.uint8)
    luma, u, v = converted([ramp], source, target, SRGB, BT709)
    assert np.abs(luma - (16 + 219 * (ramp / full)) * scale).max() < 1
    assert set(np.unique(u)) | set(np.unique(v)) == {128 * scale}


@pytest.mark.parametrize(("source", "value"), [("gray", 235), ("gray16le", 235 << 8)])
def test_gray_of_limited_range_is_not_expanded(source: str, value: int) -> None:
    white = np.full((8, 8), value, "<u2" if source == "gray16le" else np.uint8)
    limited = Color(ColorPrimaries.BT709, ColorTransfer.BT709, ColorMatrix.BT709, ColorRange.LIMITED)
    assert converted([white], source, "yuv420p", limited, BT709)[0].max() == 235
    assert converted([white], source, "rgb24", limited, SRGB)[0].min() >= 254


def test_matrix_and_range_of_yuv_are_converted() -> None:
    red = [np.full((8, 8), 81, np.uint8), np.full((4, 4), 90, np.uint8), np.full((4, 4), 240, np.uint8)]
    found = [int(plane[0, 0]) for plane in converted(red, "yuv420p", "yuv420p", SMPTE170M, BT709)]
    assert np.abs(np.subtract(found, [63, 102, 240])).max() <= 1
    white = [np.full((8, 8), 255, np.uint8), np.full((4, 4), 128, np.uint8), np.full((4, 4), 128, np.uint8)]
    assert converted(white, "yuv420p", "yuv420p", FULL_BT709, BT709)[0].max() == 235


def plane_on_a_page(height: int, width: int, value: int) -> Plane:
    """A plane in the middle of a page of memory, behind which FFmpeg may read."""
    memory = np.zeros(2 * mmap.PAGESIZE, np.uint8)
    begin = -memory.__array_interface__["data"][0] % mmap.PAGESIZE
    plane = memory[begin : begin + height * width].reshape(height, width)
    plane[...] = value
    return plane


def test_samples_that_are_right_already_are_not_touched_or_copied() -> None:
    planes = [plane_on_a_page(8, 8, 81), plane_on_a_page(4, 4, 90), plane_on_a_page(4, 4, 240)]
    layout = PictureFormat("yuv420p", 8, 8, BT709)
    picture = wrap(planes, layout)
    assert Converter(layout, layout).convert(picture) is picture
    planes[0][0, 0] = 7
    assert planes_of(picture)[0][0, 0] == 7, "the picture lies in the very same memory"


def test_an_output_that_says_nothing_is_bt709_limited_in_yuv_and_srgb_in_rgb() -> None:
    assert output_color(SRGB, NO_OVERRIDE, is_rgb=False) == BT709
    assert output_color(SRGB, NO_OVERRIDE, is_rgb=True) == SRGB
    assert output_color(BT709, NO_OVERRIDE, is_rgb=False) == BT709


def test_hdr_and_linear_keep_their_transfer_and_wide_primaries_their_matrix() -> None:
    for transfer in (ColorTransfer.SMPTE2084, ColorTransfer.ARIB_STD_B67, ColorTransfer.LINEAR):
        source = Color(ColorPrimaries.BT2020, transfer, ColorMatrix.RGB, ColorRange.FULL)
        found = output_color(source, NO_OVERRIDE, is_rgb=False)
        assert found == Color(ColorPrimaries.BT2020, transfer, ColorMatrix.BT2020NC, ColorRange.LIMITED)


@pytest.mark.parametrize(
    ("override", "is_rgb", "code"),
    [
        (ColorOverride(primaries=ColorPrimaries.BT2020), False, "COLOR_CONVERSION_UNSUPPORTED"),
        (ColorOverride(transfer=ColorTransfer.SMPTE2084), False, "COLOR_CONVERSION_UNSUPPORTED"),
        (ColorOverride(matrix=ColorMatrix.RGB), False, "INVALID_COLOR"),
        (ColorOverride(matrix=ColorMatrix.BT709), True, "INVALID_COLOR"),
        (ColorOverride(range=ColorRange.LIMITED), True, "INVALID_COLOR"),
    ],
)
def test_what_would_need_a_real_gamut_or_tone_conversion_is_refused(
    override: ColorOverride, is_rgb: bool, code: str
) -> None:
    with pytest.raises(OutputError) as caught:
        output_color(SRGB, override, is_rgb=is_rgb)
    assert caught.value.code == code


def test_code_points_have_the_names_that_ffmpeg_uses() -> None:
    assert tags_from_codes(9, 16, 9, 1) == tags_of(
        Color(ColorPrimaries.BT2020, ColorTransfer.SMPTE2084, ColorMatrix.BT2020NC, ColorRange.LIMITED)
    )
    assert tags_from_codes(2, 2, 2, 0).matrix == "unknown"
