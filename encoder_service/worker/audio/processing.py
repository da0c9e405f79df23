"""Volume, fades and gain: what is done to samples before they are resampled and encoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from encoder_service.spec.audio.sound import SoundSpec
from encoder_service.worker.libav.sound.blocks import Block
from encoder_service.worker.libav.sound.loudness import to_floats


def is_processed(sound: SoundSpec) -> bool:
    """Whether samples are anything but handed on."""
    has_fade = bool(sound.fade_in_seconds or sound.fade_out_seconds)
    return sound.volume != 1.0 or has_fade or sound.loudness is not None


class Envelope:
    """The factor of each sample of a clip: volume, gain, and linear fades. Pure."""

    def __init__(self, sound: SoundSpec, sample_rate: int, samples: int, gain: float = 1.0) -> None:
        """`samples`: the length of the clip, at whose end the fade out ends."""
        self._factor = sound.volume * gain
        self._samples = samples
        self._fade_in = round(sound.fade_in_seconds * sample_rate)
        self._fade_out = round(sound.fade_out_seconds * sample_rate)

    def apply(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yields the blocks as floats, each sample multiplied by its factor."""
        position = 0
        for block in blocks:
            floats = to_floats(block)
            yield floats * self._factors(position, block.shape[1]).astype(floats.dtype)
            position += block.shape[1]

    def _factors(self, start: int, count: int) -> Block:
        at = np.arange(start, start + count, dtype=np.float64)
        factors = np.full(count, self._factor)
        if self._fade_in:
            factors *= np.clip(at / self._fade_in, 0, 1)
        if self._fade_out:
            factors *= np.clip((self._samples - 1 - at) / self._fade_out, 0, 1)
        return factors


class Clipper:
    """Cuts what processing took beyond full scale, and counts it."""

    def __init__(self) -> None:
        self.clipped = 0

    def apply(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yields blocks of floats within -1 and 1."""
        for block in blocks:
            beyond = int(np.count_nonzero(np.abs(block) > 1))
            self.clipped += beyond
            yield np.clip(block, -1, 1) if beyond else block


def rounded(blocks: Iterable[Block], bits: int) -> Iterator[Block]:
    """The same values of 32 bits rounded to so many; others, and 0 bits, as they are."""
    for block in blocks:
        if bits and block.dtype == np.int32:
            step = 1 << (32 - bits)
            up = np.minimum(block.astype(np.int64) + step // 2, (1 << 31) - 1)
            yield (up // step * step).astype(np.int32)
        else:
            yield block


def with_length(blocks: Iterable[Block], channels: int, samples: int) -> Iterator[Block]:
    """The same sound with exactly so many samples: cut, or with silence at its end."""
    left, dtype = samples, None
    for block in blocks:
        dtype = block.dtype
        if left > 0 and block.shape[1]:
            yield block[:, :left]
        left -= min(left, block.shape[1])
    while left > 0:
        count = min(left, 1 << 14)
        yield np.zeros((channels, count), dtype or np.float32)
        left -= count
