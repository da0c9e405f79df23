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
from av.audio.resampler import AudioResampler

_MISCOUNTED_CHANNELS = 8
"""PyAV 18 counts planes up to a null pointer, and behind 8 of them FFmpeg has none."""

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
    wanted = AudioFormat(shape.sample_format)
    is_planar = wanted.is_planar and shape.channels < _MISCOUNTED_CHANNELS
    data = block if is_planar else np.ascontiguousarray(block.T).reshape(1, -1)
    made_as = wanted if is_planar else wanted.packed
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(data), made_as.name, shape.layout)
    frame.sample_rate = shape.sample_rate
    if made_as.name != wanted.name:
        (frame,) = _resampled(frame, wanted.name)
    frame.time_base = Fraction(1, shape.sample_rate)
    frame.pts = start
    return frame


def to_block(frame: AudioFrame) -> Block:
    """The samples of a frame."""
    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels >= _MISCOUNTED_CHANNELS:
        (frame,) = _resampled(frame, frame.format.packed.name)
    data = frame.to_ndarray()
    return data if frame.format.is_planar else data.reshape(-1, channels).T


def _resampled(frame: AudioFrame, sample_format: str) -> list[AudioFrame]:
    """The same samples in another form of their format: one frame."""
    return AudioResampler(sample_format, frame.layout, frame.sample_rate).resample(frame)
