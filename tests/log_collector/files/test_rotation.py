"""Rotation and retention decide the same for the same time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_collector.files.rotation import KeptFile, expired, is_rotation_due

FILES = st.lists(
    st.builds(
        KeptFile,
        name=st.text("abc", min_size=1, max_size=4),
        stream=st.sampled_from("xy"),
        written_seconds=st.floats(0, 1000),
        size_bytes=st.integers(0, 100),
    ),
    unique_by=lambda file: file.name,
)


@given(FILES, st.integers(0, 500), st.integers(0, 5), st.integers(0, 300))
def test_what_is_kept_is_within_every_limit_and_newer_than_what_went(
    files: list[KeptFile], keep_seconds: int, keep_count: int, keep_bytes: int
) -> None:
    limits = {"keep_seconds": keep_seconds, "keep_count": keep_count, "keep_bytes": keep_bytes}
    gone = expired(files, 1000.0, **limits)
    kept = [file for file in files if file not in gone]
    assert not keep_seconds or all(1000 - file.written_seconds <= keep_seconds for file in kept)
    assert not keep_count or all(sum(f.stream == s for f in kept) <= keep_count for s in "xy")
    assert not keep_bytes or sum(file.size_bytes for file in kept) <= keep_bytes
    if not any(limits.values()):
        assert not gone
    assert not expired(kept, 1000.0, **limits)


@pytest.mark.parametrize(
    ("size", "written", "now", "is_due"),
    [
        (0, 0.0, 1e6, False),
        (100, 5.0, 9.0, True),
        (99, 5.0, 9.0, False),
        (99, 9.9, 10.0, True),
        (99, 25.0, 10.0, False),
    ],
)
def test_a_file_is_rotated_by_size_and_at_the_end_of_a_period(
    size: int, written: float, now: float, is_due: bool
) -> None:
    """The last row: the clock has jumped back."""
    assert is_rotation_due(size, written, now, limit_bytes=100, period_seconds=10) is is_due
