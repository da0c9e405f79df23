"""What every source says of its frames, and yields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.cli.encode.sources.sound import ClipSound
from telecine.request.options import Color, PixelFormat
from telecine.request.source_warnings import SourceWarning

Frames = Iterator[npt.NDArray[Any]] | Iterator[bytes]
"""Arrays (H, W), (H, W, 3) or (H, W, 4); or whole raw frames when `Source.pixel_format` is set."""


@dataclass(frozen=True, slots=True)
class Source:
    """Frames of one size. Iterating `frames` to its end, or closing it, releases everything."""

    description: str
    """For people: "81 images in frames/"."""
    width: int
    height: int
    frames: Frames
    frame_rate: Fraction | None = None
    """None: the source does not know; the caller must say."""
    frame_count: int = 0
    """0: not known beforehand."""
    pixel_format: PixelFormat | None = None
    """The raw frames' layout; None: `frames` yields arrays."""
    frame_bytes: int = 0
    """Of one frame as it is sent; 0: not known beforehand."""
    color: Color | None = None
    """None: the default of the pixel format."""
    damage: list[str] = field(default_factory=list)
    """What was found broken so far, where that is allowed; complete once `frames` has ended."""
    losses: list[SourceWarning] = field(default_factory=list)
    """What the frames do not carry of the source; complete once `frames` has ended."""
    sound: ClipSound | None = None
    """To be read when `frames` has ended; None: it is silent."""


def size_of(array: npt.NDArray[Any]) -> tuple[int, int]:
    """(width, height) of one frame (H, W) or (H, W, C)."""
    return int(np.shape(array)[1]), int(np.shape(array)[0])
