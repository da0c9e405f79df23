"""A job's sound as it is sent: rate, layout and sample format, by FFmpeg's names."""

from __future__ import annotations

import math
from enum import StrEnum
from fractions import Fraction

import msgspec

LAYOUTS = {"mono": 1, "stereo": 2, "3.0": 3, "quad": 4, "5.0": 5, "5.1": 6, "7.1": 8}
"""Every layout that may be declared, and its number of channels."""
MIN_SAMPLE_RATE = 8_000
MAX_SAMPLE_RATE = 192_000
MAX_PLANAR_BLOCK_SAMPLES = 1 << 16


class SampleFormat(StrEnum):
    """How one sample lies in memory, little-endian; a name that ends with "p" is planar."""

    S16 = "s16"
    S32 = "s32"
    FLT = "flt"
    S16P = "s16p"
    S32P = "s32p"
    FLTP = "fltp"

    @property
    def is_planar(self) -> bool:
        """One channel lies after the other, in blocks."""
        return self.value.endswith("p")

    @property
    def packed(self) -> SampleFormat:
        """The same samples with their channels interleaved."""
        return SampleFormat(self.value.removesuffix("p"))

    @property
    def is_float(self) -> bool:
        """Samples are floats from -1 to 1."""
        return self.packed is SampleFormat.FLT

    @property
    def value_bytes(self) -> int:
        """Bytes of one value of one channel."""
        return 2 if self.packed is SampleFormat.S16 else 4


class AudioFit(StrEnum):
    """What an output does when its sound is not as long as its pictures."""

    PAD = "pad"
    """Shorter sound is followed by silence, longer sound is cut, with a warning."""
    TRIM = "trim"
    """Longer sound is cut, as asked for; shorter sound ends earlier."""
    ERROR = "error"


class AudioSpec(msgspec.Struct, frozen=True):
    """The audio track as it is sent."""

    sample_rate: int
    layout: str
    """A key of `LAYOUTS`."""
    sample_format: SampleFormat
    fit: AudioFit = AudioFit.PAD
    expected_samples: int = 0
    """0: not known."""
    planar_block_samples: int = 0
    """Of each block of a planar track. 0: the track is interleaved."""

    @property
    def channels(self) -> int:
        """How many values a sample has."""
        return LAYOUTS[self.layout]

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.sample_format.value_bytes


def fitting_samples(duration_seconds: Fraction, sample_rate: int) -> tuple[int, int]:
    """The least and the most samples that are as long as the pictures: they differ by one at most.

    The least never lasts longer than the pictures.
    """
    exact = duration_seconds * sample_rate
    return math.floor(exact), math.ceil(exact)
