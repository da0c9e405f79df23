"""Sizes: what is padded, cropped, fitted or stretched, and that nothing else ever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.spec.errors import OutputError
from encoder_service.spec.geometry import Geometry, SizeChange, plan_geometry
from encoder_service.spec.spec import OddSizePolicy, Scale, ScaleMode

EVEN = (2, 2)
SIDE = st.integers(1, 16384)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (OddSizePolicy.PAD, Geometry(34, 50, 34, 50, SizeChange.PADDED)),
        (OddSizePolicy.CROP, Geometry(32, 48, 32, 48, SizeChange.CROPPED)),
    ],
)
def test_odd_sizes_follow_the_policy(policy: OddSizePolicy, expected: Geometry) -> None:
    assert plan_geometry(33, 49, None, policy, EVEN) == expected
    assert plan_geometry(33, 49, None, policy, (1, 1)).change is SizeChange.NONE


def test_an_odd_size_may_be_an_error() -> None:
    with pytest.raises(OutputError, match="49"):
        plan_geometry(32, 49, None, OddSizePolicy.ERROR, EVEN)


def test_a_single_pixel_cannot_be_cropped_away() -> None:
    assert plan_geometry(1, 1, None, OddSizePolicy.CROP, EVEN).width == 2


@given(width=SIDE, height=SIDE, box=st.tuples(st.integers(0, 4096), st.integers(0, 4096)))
def test_a_fitted_picture_stays_in_its_box_and_keeps_its_shape(
    width: int, height: int, box: tuple[int, int]
) -> None:
    planned = plan_geometry(width, height, Scale(*box), OddSizePolicy.PAD, EVEN)
    assert planned.width % 2 == planned.height % 2 == 0
    if not any(box):
        return
    assert (planned.source_width, planned.source_height) == (width, height)
    assert planned.change is SizeChange.NONE
    for side, limit in ((planned.width, box[0]), (planned.height, box[1])):
        assert not limit or side <= max(limit, 2)
    exact = min(box[0] / width if box[0] else 1e9, box[1] / height if box[1] else 1e9)
    assert abs(planned.width - width * exact) <= 2
    assert abs(planned.height - height * exact) <= 2


@given(width=SIDE, height=SIDE, policy=st.sampled_from([OddSizePolicy.PAD, OddSizePolicy.CROP]))
def test_without_scaling_at_most_one_column_and_row_change(
    width: int, height: int, policy: OddSizePolicy
) -> None:
    planned = plan_geometry(width, height, None, policy, EVEN)
    assert (planned.width, planned.height) == (planned.source_width, planned.source_height)
    assert abs(planned.width - width) <= 1
    assert abs(planned.height - height) <= 1


def test_stretching_takes_the_named_size() -> None:
    stretch = Scale(100, 31, ScaleMode.STRETCH)
    assert plan_geometry(640, 480, stretch, OddSizePolicy.PAD, EVEN) == Geometry(
        640, 480, 100, 32, SizeChange.PADDED
    )


def test_negative_sides_are_refused() -> None:
    with pytest.raises(OutputError, match="-1"):
        plan_geometry(64, 64, Scale(-1, 0), OddSizePolicy.PAD, EVEN)
