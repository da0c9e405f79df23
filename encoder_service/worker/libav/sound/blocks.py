"""Blocks of sound as arrays, and FFmpeg's frames of the same samples."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from av.audio.format import AudioFormat
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout

Block = npt.NDArray[Any]
"""Samples of shape (channels, samples)."""


class Shape(msgspec.Struct, frozen=True):
    """What a row of blocks is."""

    sample_format: str
    """FFmpeg's name; blocks are the same for its planar and its interleaved form."""
    layout: str
    sample_rate: int

    @property
    def channels(self) -> int:
        """How many rows a block has."""
        return int(AudioLayout(self.layout).nb_channels)


def to_frame(block: Block, shape: Shape, start: int) -> AudioFrame:
    """A frame of the same samples; `start`: the number of its first one."""
    is_planar = AudioFormat(shape.sample_format).is_planar
    data = block if is_planar else np.ascontiguousarray(block.T).reshape(1, -1)
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(data), shape.sample_format, shape.layout)
    frame.sample_rate = shape.sample_rate
    frame.time_base = Fraction(1, shape.sample_rate)
    frame.pts = start
    return frame


def to_block(frame: AudioFrame) -> Block:
    """The samples of a frame."""
    data = frame.to_ndarray()
    return data if frame.format.is_planar else data.reshape(-1, len(frame.layout.channels)).T
