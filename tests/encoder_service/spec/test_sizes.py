"""Sizes by name and aspect ratio: a name means the shorter side, a ratio the shape."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.spec.errors import OutputError
from encoder_service.spec.geometry import Frame, Geometry, plan_geometry
from encoder_service.spec.sizes import SHORT_SIDES, parse_aspect_ratio
from encoder_service.spec.spec import OddSizePolicy, Scale, ScaleMode

EVEN = (2, 2)
SIDE = st.integers(2, 2000)
RATIOS = st.sampled_from(["16:9", "9:16", "1:1", "4:3", "21:9", "2.39:1"])


def planned(width: int, height: int, scale: Scale) -> Geometry:
    return plan_geometry(width, height, scale, OddSizePolicy.PAD, EVEN)


@pytest.mark.parametrize(
    ("size", "ratio", "expected"),
    [
        ("480p", "16:9", (854, 480)),
        ("720p", "16:9", (1280, 720)),
        ("1080p", "16:9", (1920, 1080)),
        ("1440p", "16:9", (2560, 1440)),
        ("4k", "16:9", (3840, 2160)),
        ("480p", "4:3", (640, 480)),
        ("1080p", "9:16", (1080, 1920)),
        ("720p", "1:1", (720, 720)),
        ("1080p", "21:9", (2520, 1080)),
    ],
)
@pytest.mark.parametrize("mode", [ScaleMode.FILL, ScaleMode.PAD, ScaleMode.STRETCH])
def test_a_name_and_a_ratio_are_the_sizes_that_people_know(
    size: str, ratio: str, expected: tuple[int, int], mode: ScaleMode
) -> None:
    found = planned(832, 480, Scale(mode=mode, size=size, aspect_ratio=ratio))
    assert (found.width, found.height) == expected


def test_a_name_alone_keeps_the_shape_of_the_source_upright_or_not() -> None:
    assert planned(1280, 720, Scale(size="1080p")) == Geometry(1280, 720, 1920, 1080)
    assert planned(720, 1280, Scale(size="1080p")) == Geometry(720, 1280, 1080, 1920)


def test_a_ratio_alone_scales_nothing() -> None:
    filled = planned(832, 480, Scale(aspect_ratio="9:16", mode=ScaleMode.FILL))
    assert filled == Geometry(270, 480, 270, 480, left=280)
    padded = planned(832, 480, Scale(aspect_ratio="9:16"))
    assert padded == Geometry(832, 480, 832, 1480, frame=Frame(0, 500, 832, 480))
    assert not filled.is_resampled
    assert not padded.is_resampled


@given(width=SIDE, height=SIDE, size=st.sampled_from(["240p", "480p"]), ratio=RATIOS)
def test_a_padded_picture_is_whole_and_in_the_middle(width: int, height: int, size: str, ratio: str) -> None:
    found = planned(width, height, Scale(size=size, aspect_ratio=ratio, mode=ScaleMode.PAD))
    place = found.picture
    assert (found.source_width, found.source_height) == (width, height)
    assert place.left % 2 == place.top % 2 == 0
    assert place.left + place.width <= found.width
    assert place.top + place.height <= found.height
    assert abs(2 * place.left + place.width - found.width) <= 2
    assert abs(2 * place.top + place.height - found.height) <= 2
    assert found.width - place.width <= 2 or found.height - place.height <= 2


@given(width=SIDE, height=SIDE, size=st.sampled_from(["240p", "480p"]), ratio=RATIOS)
def test_a_filled_picture_loses_only_two_sides(width: int, height: int, size: str, ratio: str) -> None:
    found = planned(width, height, Scale(size=size, aspect_ratio=ratio, mode=ScaleMode.FILL))
    assert found.frame is None
    assert found.source_width == width or found.source_height == height
    assert found.left + found.source_width <= width
    assert found.top + found.source_height <= height
    if min(found.source_width, found.source_height) > 50:
        shape = Fraction(found.source_width, found.source_height) / Fraction(found.width, found.height)
        assert abs(shape - 1) < 0.02


@given(width=SIDE, height=SIDE, ratio=RATIOS)
def test_what_is_cut_down_to_a_shape_is_never_resampled(width: int, height: int, ratio: str) -> None:
    found = planned(width, height, Scale(aspect_ratio=ratio, mode=ScaleMode.FILL))
    assert not found.is_resampled
    assert found.width <= width
    assert found.height <= height


def test_a_picture_that_fits_needs_no_canvas() -> None:
    assert planned(1280, 720, Scale(640, 360, ScaleMode.PAD)) == Geometry(1280, 720, 640, 360)


def test_every_name_is_a_number_of_rows_or_its_short_form() -> None:
    assert all(name == f"{side}p" or name.endswith("k") for name, side in SHORT_SIDES.items())


@pytest.mark.parametrize(
    "text", ["16/9", "0:9", "16:0", "1:21", "21:1", "16:9:1", "-1:1", "a:b", "1e3:1", ""]
)
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_aspect_ratio(text)


def test_a_canvas_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(OutputError, match="16384"):
        planned(64, 64, Scale(size="8k", aspect_ratio="20:1"))
