"""Converts sound from one rate, layout and sample format to another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av.audio.resampler import AudioResampler

from encoder_service.spec.codes import FailureCode
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.sound.blocks import Block, Shape, to_block, to_frame

_WHAT = "converting sound"


def resampled(blocks: Iterable[Block], source: Shape, target: Shape) -> Iterator[Block]:
    """Yields the same sound in another shape, its last samples included. Raises OutputError.

    Where rate and layout stay as they are, so does the number of samples; else it may be a few off.
    """
    with translated(FailureCode.CONVERSION_FAILED, _WHAT):
        converter = AudioResampler(format=target.sample_format, layout=target.layout, rate=target.sample_rate)
    position = 0
    for block in blocks:
        with translated(FailureCode.CONVERSION_FAILED, _WHAT):
            found = [to_block(frame) for frame in converter.resample(to_frame(block, source, position))]
        position += block.shape[1]
        yield from found
    if position:
        with translated(FailureCode.CONVERSION_FAILED, _WHAT):
            found = [to_block(frame) for frame in converter.resample(None)]
        yield from found
