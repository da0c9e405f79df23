"""Decodes the sound of a finished file to its end, as any reader would."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import msgspec
from av.audio.stream import AudioStream
from av.container import InputContainer

from encoder_service.evidence.checksum import FrameHash
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.errors import translated
from encoder_service.worker.libav.opening import open_input
from encoder_service.worker.libav.sound.blocks import Block, to_block

_BROKEN = FailureCode.VERIFICATION_FAILED


class SoundContent(msgspec.Struct, frozen=True):
    """What a reader finds of a file's sound."""

    codec: str
    sample_rate: int
    channels: int
    layout: str
    """Empty: the file does not state it."""
    samples: int
    digest: bytes
    """Of the packets' bytes."""
    first_seconds: Fraction
    """When the first sample is heard."""
    end_seconds: Fraction
    """When the last one has been heard, as the times say."""


def has_sound(path: Path) -> bool:
    """Whether a file has an audio stream. Raises OutputError."""
    with translated(_BROKEN, f"opening {path.name}"), open_input(path) as container:
        return len(container.streams.audio) > 0


def decode_sound(path: Path, take: Callable[[Block], None] = lambda _block: None) -> SoundContent:
    """Decodes the one audio stream; `take` is called with each block.

    Raises OutputError with code VERIFICATION_FAILED.
    """
    with translated(_BROKEN, f"decoding the sound of {path.name}"), open_input(path) as container:
        streams = container.streams.audio
        if len(streams) != 1:
            raise OutputError(_BROKEN, f"{path.name} has {len(streams)} audio streams, expected 1")
        return _decode(container, streams[0], take)


def _decode(container: InputContainer, stream: AudioStream, take: Callable[[Block], None]) -> SoundContent:
    hashed, samples = FrameHash(), 0
    first: Fraction | None = None
    end = Fraction(0)
    layout = ""
    for packet in container.demux(stream):
        if packet.size:
            hashed.update(bytes(packet))
        for frame in packet.decode():
            if frame.pts is None or frame.time_base is None:
                raise OutputError(_BROKEN, "the decoder gave sound without a timestamp")
            at = frame.pts * Fraction(frame.time_base)
            first = at if first is None else first
            end = at + Fraction(frame.samples, frame.sample_rate)
            samples += frame.samples
            layout = frame.layout.name
            take(to_block(frame))
    context = stream.codec_context
    return SoundContent(
        codec=context.codec.canonical_name,
        sample_rate=context.sample_rate,
        channels=len(context.layout.channels),
        layout="" if "channels" in layout else layout,
        samples=samples,
        digest=hashed.digest(),
        first_seconds=first or Fraction(0),
        end_seconds=end,
    )
