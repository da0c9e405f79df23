"""The layout of a contact sheet always fits, and always shows the first and the last frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.spec.sheet_layout import MAX_TILES, label, plan_sheet
from encoder_service.spec.spec import Rational


@given(
    frames=st.integers(1, 5000),
    size=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    columns=st.integers(0, 20),
    rows=st.integers(0, 20),
)
def test_tiles_lie_beside_each_other_within_the_sheet(
    frames: int, size: tuple[int, int], columns: int, rows: int
) -> None:
    layout = plan_sheet(frames, size, columns, rows)
    assert 1 <= len(layout.frames) <= min(frames, layout.columns * layout.rows)
    assert layout.frames[0] == 0
    assert len(layout.frames) == 1 or layout.frames[-1] == frames - 1
    assert list(layout.frames) == sorted(set(layout.frames))
    corners = [layout.corner(tile) for tile in range(len(layout.frames))]
    assert len(set(corners)) == len(corners)
    for x, y in corners:
        assert x + layout.tile_width < layout.width
        assert y + layout.tile_height + layout.label_height < layout.height
    # No row is empty.
    assert len(layout.frames) > (layout.rows - 1) * layout.columns


def test_the_grid_is_chosen_or_followed() -> None:
    assert (plan_sheet(81, (832, 480)).columns, plan_sheet(81, (832, 480)).rows) == (4, 4)
    assert plan_sheet(81, (832, 480), 3, 2).frames == (0, 16, 32, 48, 64, 80)
    assert (plan_sheet(2, (832, 480)).columns, plan_sheet(2, (832, 480)).rows) == (2, 1)


def test_too_many_tiles_are_refused() -> None:
    with pytest.raises(ValueError, match=str(MAX_TILES)):
        plan_sheet(10_000, (10, 10), 100, 100)


def test_labels_show_frame_and_time() -> None:
    assert label(0, Rational(24)) == "0  00:00.000"
    assert label(24, Rational(24000, 1001)) == "24  00:01.001"
    assert label(24 * 3700, Rational(24)) == "88800  1:01:40.000"
