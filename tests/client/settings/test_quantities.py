"""Sizes and durations are read as people write them, and nothing else is."""

from __future__ import annotations

import pytest
from telecine.settings.leaves import parse_bytes, parse_seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1048576", 2**20),
        ("4GiB", 4 * 2**30),
        ("4 gib", 4 * 2**30),
        ("1.5MiB", 3 * 2**19),
        ("10MB", 10**7),
        ("512 B", 512),
    ],
)
def test_a_size_is_binary_with_i_and_decimal_without(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("500ms", 0.5), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("7d", 604800)],
)
def test_a_duration_has_the_usual_units(text, seconds):
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1e9", "4 GiB GiB", "4 parsecs", "0.3B", "١GiB x"])
def test_anything_else_is_no_size(text):
    with pytest.raises(ValueError, match="4GiB"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["", "s", "-1s", "5 weeks", "1:30", "inf"])
def test_anything_else_is_no_duration(text):
    with pytest.raises(ValueError, match="30s"):
        parse_seconds(text)
