"""Reads a job's samples block by block, as arrays of channels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from encoder_service.spec.audio.track import AudioSpec, SampleFormat
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.sound.blocks import Block
from encoder_service.worker.writer import SampleSource

BLOCK_SAMPLES = 1 << 14
_DTYPES = {SampleFormat.S16: "<i2", SampleFormat.S32: "<i4", SampleFormat.FLT: "<f4"}


def read_blocks(source: SampleSource, count: int) -> Iterator[Block]:
    """Yields the first `count` samples in blocks of shape (channels, samples).

    Raises OutputError with code INVALID_SAMPLES for NaN and infinity, which no codec takes.
    """
    spec = source.spec
    step = BLOCK_SAMPLES
    if spec.planar_block_samples:
        step = max(1, BLOCK_SAMPLES // spec.planar_block_samples) * spec.planar_block_samples
    for start in range(0, count, step):
        # Of a planar track whole blocks are read: their last samples lie at the end of each channel.
        size = min(step, source.samples - start)
        block = _channels(source.read(start, size), spec)
        if spec.sample_format.is_float:
            _require_finite(block, start)
        yield block[:, : count - start]


def _channels(data: bytes, spec: AudioSpec) -> Block:
    values = np.frombuffer(data, _DTYPES[spec.sample_format.packed])
    if not spec.planar_block_samples:
        return values.reshape(-1, spec.channels).T
    each = spec.planar_block_samples * spec.channels
    pieces = [values[at : at + each].reshape(spec.channels, -1) for at in range(0, len(values), each)]
    return np.concatenate(pieces, axis=1)


def _require_finite(block: Block, start: int) -> None:
    if not np.isfinite(block).all():
        channel, sample = np.argwhere(~np.isfinite(block))[0]
        raise OutputError(
            FailureCode.INVALID_SAMPLES,
            f"sample {start + sample} of channel {channel} is NaN or infinite; send finite samples",
        )
