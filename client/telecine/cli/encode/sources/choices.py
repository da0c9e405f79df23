"""What the caller of `telecine encode` may choose about a source."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceChoices:
    """The defaults show a video file as players do, and refuse a damaged one."""

    frame_rate: Fraction | None = None
    """Show each picture once at this rate, whatever its times; None: keep the times."""
    allows_damage: bool = False
    """Take what can be read of a damaged video file."""
    is_turned_upright: bool = True
    """Follow the display matrix of a video file."""
    has_square_pixels: bool = True
    """Scale by the sample aspect ratio of a video file."""
    is_deinterlaced: bool = False
    """Make whole pictures of interlaced ones."""
    has_sound: bool = True
    """Take the sound of a video file over."""
    sound_file: Path | None = None
    """Take the sound of this file instead; None: of the source."""


AS_PLAYERS_DO = SourceChoices()
