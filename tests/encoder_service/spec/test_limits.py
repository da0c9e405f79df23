"""What formats and codecs cannot hold is known before a frame is encoded."""

from __future__ import annotations

from fractions import Fraction

import pytest

from encoder_service.spec.limits import MAX_BIT_RATE, most_bits, rate_fault, size_fault


@pytest.mark.parametrize(
    ("codec", "size", "has_bit_rate", "fault"),
    [
        ("hevc", (15, 16), False, "16 x 16"),
        ("av1", (4, 3), False, "4 x 4"),
        ("av1", (64, 63), True, "64 x 64 on where a bit_rate is given"),
        ("h264", (1, 1), True, ""),
        ("av1", (64, 64), True, ""),
        ("png", (16384, 16384), False, "more than 260 million pixels"),
        ("ffv1", (16384, 16384), False, "more than 260 million pixels"),
        ("png", (16384, 16000), False, ""),
        ("jpeg", (16384, 16384), False, ""),
    ],
)
def test_sizes(codec: str, size: tuple[int, int], has_bit_rate: bool, fault: str) -> None:
    found = size_fault(codec, *size, has_bit_rate=has_bit_rate)
    assert fault in found
    assert bool(found) == bool(fault)


def test_rates() -> None:
    assert rate_fault("gif", "gif", Fraction(101))
    assert rate_fault("mp4", "av1", Fraction(241))
    assert not rate_fault("mp4", "h264", Fraction(1000))
    assert most_bits("av1") < most_bits("h264") == MAX_BIT_RATE
