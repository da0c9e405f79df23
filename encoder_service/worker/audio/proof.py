"""Reads an artifact's sound back and holds it against what was handed to the encoder."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np

from encoder_service.evidence.checksum import SampleHash
from encoder_service.evidence.facts import Loudness
from encoder_service.spec.audio.track import LAYOUTS
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.audio.plan import SoundPlan
from encoder_service.worker.libav.sound.blocks import Block
from encoder_service.worker.libav.sound.decoding import SoundContent, decode_sound, has_sound
from encoder_service.worker.libav.sound.encoding import SoundStream
from encoder_service.worker.libav.sound.loudness import LoudnessMeter

_MILLISECOND = Fraction(1, 1000)
_EXACT = {"mp4", "mov", "m4a", "wav", "flac", "opus"}
"""Formats whose sound begins with the pictures to the millisecond."""


class HeardSound(msgspec.Struct, frozen=True):
    """What `telecine verify` finds of a file's sound."""

    content: SoundContent
    pcm_sha256: str
    """Of the decoded samples, interleaved."""


def hear(path: Path) -> HeardSound | None:
    """Decodes the sound of any file to its end; None: it has none. Raises OutputError."""
    if not has_sound(path):
        return None
    hashed = SampleHash()
    content = decode_sound(path, lambda block: hashed.update(_interleaved(block)))
    return HeardSound(content, hashed.hexdigest())


def _interleaved(block: Block) -> memoryview:
    return np.ascontiguousarray(block.T).data.cast("B")


class Proof(msgspec.Struct, frozen=True):
    """What was found in the artifact."""

    name: str
    format_name: str
    content: SoundContent
    is_same: bool
    """The bytes of its packets are those that the encoder gave; PCM is cut into others by some muxers."""
    pcm_sha256: str
    """Of the decoded samples, interleaved."""
    loudness: Loudness

    @property
    def drift_seconds(self) -> Fraction:
        """How far the times have moved against the number of samples."""
        found = self.content
        return found.end_seconds - found.first_seconds - Fraction(found.samples, found.sample_rate)

    def require(self, plan: SoundPlan, samples: int, given_sha256: str) -> None:
        """Raises OutputError with code VERIFICATION_FAILED, naming all that is wrong."""
        found, codec, shape = self.content, plan.codec, plan.shape
        latest = (
            _MILLISECOND
            if self.format_name in _EXACT
            else Fraction(max(codec.frame_samples, 1), shape.sample_rate) + _MILLISECOND
        )
        longest = samples + max(codec.frame_samples - 1, 0)
        checks = {
            f"{found.codec} instead of {codec.name}": found.codec in codec.readback_codecs,
            f"{found.sample_rate} Hz instead of {shape.sample_rate}": found.sample_rate == shape.sample_rate,
            f"{found.channels} channels instead of {shape.layout}": found.channels == LAYOUTS[shape.layout],
            f"layout {found.layout} instead of {shape.layout}": found.layout in {"", shape.layout},
            f"{found.samples} samples instead of {samples}": samples <= found.samples <= longest,
            f"sound begins at {float(found.first_seconds):.6f} s": abs(found.first_seconds) <= latest,
            f"times drift by {float(self.drift_seconds):.6f} s": abs(self.drift_seconds) <= 2 * _MILLISECOND,
            "the packets of sound are not those that the encoder gave": self.is_same,
            "the samples are not those that were encoded": (
                not codec.is_lossless or self.pcm_sha256 == given_sha256
            ),
        }
        faults = [fault for fault, is_right in checks.items() if not is_right]
        if faults:
            raise OutputError(FailureCode.VERIFICATION_FAILED, f"{self.name}: {'; '.join(faults)}")


def read_proof(path: Path, format_name: str, plan: SoundPlan, stream: SoundStream) -> Proof:
    """Decodes the sound of a finished file to its end. Raises OutputError."""
    hashed = SampleHash()
    meter = LoudnessMeter(plan.shape.layout, plan.shape.sample_rate)

    def take(block: Block) -> None:
        if plan.codec.is_lossless:
            hashed.update(_interleaved(block))
        meter.add(block)

    content = decode_sound(path, take)
    return Proof(
        name=path.name,
        format_name=format_name,
        content=content,
        is_same=content.digest == stream.digest,
        pcm_sha256=hashed.hexdigest(),
        loudness=meter.finish(),
    )
