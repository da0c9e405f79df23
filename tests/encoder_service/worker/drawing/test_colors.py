"""Colours of overlays are what they look like, whatever the frames' values mean."""

from __future__ import annotations

import numpy as np
import pytest

from encoder_service.spec.spec import SRGB, Color, ColorMatrix, ColorPrimaries, ColorRange, ColorTransfer
from encoder_service.worker.drawing.colors import parse_color, to_frames

WHITE = np.ones(3, np.float32)
RED = np.array([1, 0, 0], np.float32)


def meaning(primaries: ColorPrimaries, transfer: ColorTransfer) -> Color:
    return Color(primaries, transfer, ColorMatrix.BT2020NC, ColorRange.LIMITED)


def test_colours_are_read_with_and_without_alpha() -> None:
    color, alpha = parse_color("#ff0080")
    assert color.tolist() == pytest.approx([1, 0, 128 / 255])
    assert alpha == 1
    assert parse_color("#00000040")[1] == pytest.approx(64 / 255)


@pytest.mark.parametrize("text", ["red", "#fff", "#ff00", "#gggggg", "ff0000", "", "# f f f"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_color(text)


def test_display_referred_values_are_taken_over_as_they_are() -> None:
    gray = np.full(3, 0.4, np.float32)
    for transfer in (ColorTransfer.BT709, ColorTransfer.IEC61966_2_1, ColorTransfer.SMPTE170M):
        assert to_frames(gray, meaning(ColorPrimaries.BT709, transfer)) is gray
    assert to_frames(gray, SRGB) is gray


def test_white_is_that_of_graphics_in_hdr() -> None:
    """BT.2408: 203 cd/m2 is 58 % of PQ and 75 % of HLG."""
    pq = to_frames(WHITE, meaning(ColorPrimaries.BT2020, ColorTransfer.SMPTE2084))
    hlg = to_frames(WHITE, meaning(ColorPrimaries.BT2020, ColorTransfer.ARIB_STD_B67))
    assert pq.tolist() == pytest.approx([0.58] * 3, abs=0.002)
    assert hlg.tolist() == pytest.approx([0.75] * 3, abs=0.002)


def test_linear_frames_get_light() -> None:
    gray = np.full(3, 128 / 255, np.float32)
    light = to_frames(gray, meaning(ColorPrimaries.BT709, ColorTransfer.LINEAR))
    assert light.tolist() == pytest.approx([0.2158] * 3, abs=1e-3)


def test_a_red_of_srgb_is_less_than_the_red_of_wider_primaries() -> None:
    """BT.2087: linear BT.709 red has 62.74 %, 6.91 % and 1.64 % of the BT.2020 primaries."""
    wide = to_frames(RED, meaning(ColorPrimaries.BT2020, ColorTransfer.LINEAR))
    assert wide.tolist() == pytest.approx([0.6274, 0.0691, 0.0164], abs=1e-3)
    p3 = to_frames(RED, meaning(ColorPrimaries.SMPTE432, ColorTransfer.IEC61966_2_1))
    assert p3.tolist() == pytest.approx([0.9175, 0.2003, 0.1386], abs=2e-3)


@pytest.mark.parametrize("primaries", list(ColorPrimaries))
@pytest.mark.parametrize("transfer", list(ColorTransfer))
def test_black_and_white_stay_without_colour(primaries: ColorPrimaries, transfer: ColorTransfer) -> None:
    color = meaning(primaries, transfer)
    assert to_frames(np.zeros(3, np.float32), color).max() < 1e-3
    white = to_frames(WHITE, color)
    assert float(white.max() - white.min()) < 1e-3
