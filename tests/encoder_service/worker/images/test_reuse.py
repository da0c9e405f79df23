"""What is taken over from the frame before is never further off than the tolerance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder_service.worker.images.reuse import Change, Reuse, ReuseRule, lossless_rule, lossy_rule

Canvas = npt.NDArray[np.uint8]


def draw(canvas: Canvas | None, frame: Canvas, change: Change) -> Canvas:
    """A player that gets the coded pixels without loss."""
    canvas = np.zeros_like(frame) if canvas is None else canvas.copy()
    inside = (slice(change.y, change.y + change.height), slice(change.x, change.x + change.width))
    coded = np.ones(frame[inside].shape[:2], bool) if change.coded is None else change.coded
    canvas[inside][coded] = frame[inside][coded]
    return canvas


@settings(deadline=None, max_examples=120)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 300),
    columns=st.integers(1, 40),
    share=st.floats(0, 1),
    rule=st.builds(ReuseRule, st.integers(0, 9), st.sampled_from([1, 8]), st.integers(1, 5), st.booleans()),
)
def test_a_player_never_shows_more_than_the_tolerance_beside_what_was_sent(
    seed: int, rows: int, columns: int, share: float, rule: ReuseRule
) -> None:
    random = np.random.default_rng(seed)
    reuse, canvas = Reuse(rule), None
    frame = random.integers(0, 256, (rows, columns, 3), np.uint8)
    since_whole = rule.key_interval
    for _ in range(8):
        change = reuse.plan(frame)
        assert change.x % 2 == change.y % 2 == 0
        assert change.coded is None or rule.can_blend
        is_whole = (change.width, change.height) == (columns, rows) and change.coded is None
        since_whole = 0 if is_whole else since_whole + 1
        assert since_whole < rule.key_interval
        canvas = draw(canvas, frame, change)
        assert np.abs(canvas.astype(int) - frame).max() <= rule.tolerance
        noise = random.integers(-3, 4, frame.shape) * (random.random((rows, columns, 1)) < share / 20)
        frame = np.clip(frame.astype(int) + noise, 0, 255).astype(np.uint8)


def test_an_equal_frame_is_one_transparent_pixel() -> None:
    reuse, frame = Reuse(lossless_rule(9, can_blend=True)), np.full((16, 16, 3), 7, np.uint8)
    reuse.plan(frame)
    change = reuse.plan(frame.copy())
    assert (change.width, change.height) == (1, 1)
    assert change.coded is not None
    assert not change.coded.any()


def test_only_the_rectangle_around_the_change_is_coded() -> None:
    reuse = Reuse(lossless_rule(9, can_blend=False))
    frame = np.zeros((40, 40, 4), np.uint8)
    reuse.plan(frame)
    later = frame.copy()
    later[11:20, 7:30] = 255
    assert reuse.plan(later) == Change(6, 10, 24, 10, None)


@pytest.mark.parametrize(("quality", "tolerance"), [(0, 31), (80, 4), (100, 1)])
def test_the_tolerance_is_that_of_libwebp(quality: int, tolerance: int) -> None:
    assert lossy_rule(quality, 5, can_blend=True).tolerance == tolerance
