"""Decides what happens to values that no code value stands for: refused with one clear error, or counted."""

from __future__ import annotations

from dataclasses import dataclass

from telecine.exceptions import InvalidFramesError, ValueRangeError

CHOICES = ("error", "clip")


@dataclass(slots=True)
class OutOfRange:
    """What a caller chose for values out of range, and how many were clipped so far."""

    policy: str = "error"
    """"error": refuse the frame. "clip": clip, NaN to 0, and count."""
    clipped_samples: int = 0

    def __post_init__(self) -> None:
        if self.policy not in CHOICES:
            raise InvalidFramesError(f'out_of_range is {self.policy!r}; expected "error" or "clip"')

    def refuse(self, lowest: float, highest: float, nan_samples: int) -> ValueRangeError:
        """The error for a frame with values from `lowest` to `highest` (0 to 1 is right)."""
        seen = f"values from {lowest:.6g} to {highest:.6g}"
        if nan_samples:
            seen = f"{nan_samples} NaN and {seen}"
        return ValueRangeError(f"frames hold {seen}; expected 0 to 1{_advice(lowest, highest)}")


def _advice(lowest: float, highest: float) -> str:
    if 1.5 < highest <= 255.5 and lowest >= -0.5:
        return "; they look like 0 to 255: pass frames / 255, or uint8"
    if -1.5 <= lowest < 0 and highest <= 1.5:
        return "; if they are meant as -1 to 1, pass (frames + 1) / 2"
    return ""
