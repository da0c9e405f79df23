"""Decides how an output carries the job's sound: codec, rate, layout, and what is lost by it."""

from __future__ import annotations

import msgspec

from encoder_service.spec.audio.codecs import (
    CODECS,
    SOUND_FORMATS,
    SoundCodec,
    default_codec,
    layouts_of,
    nearest_layout,
    nearest_rate,
    usual_bit_rate,
)
from encoder_service.spec.audio.sound import SoundSpec
from encoder_service.spec.audio.track import LAYOUTS, AudioSpec
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FormatRow, WriterKind
from encoder_service.spec.spec import OutputSpec, Quality
from encoder_service.worker.libav.sound.blocks import Shape
from encoder_service.worker.libav.sound.encoding import SoundSettings


class SoundRemark(msgspec.Struct, frozen=True):
    """Something to report: a fallback (an error where the output is strict) or a mere note."""

    code: WarningCode
    message: str
    is_fallback: bool


class SoundPlan(msgspec.Struct, frozen=True):
    """How one output carries the sound."""

    codec: SoundCodec
    settings: SoundSettings
    sound: SoundSpec
    remarks: tuple[SoundRemark, ...]

    @property
    def shape(self) -> Shape:
        """What the encoder is given."""
        return self.settings.shape


def plan_sound(output: OutputSpec, row: FormatRow, audio: AudioSpec) -> SoundPlan:
    """Plans the sound of an output whose format can hold some. Raises OutputError."""
    sound = output.sound or SoundSpec()
    is_alone = row.writer is WriterKind.SOUND
    named = sound.codec or (output.codec if is_alone else "")
    if named and named not in SOUND_FORMATS[row.name].codecs:
        raise OutputError(FailureCode.UNKNOWN_CODEC, f"{row.name} holds no sound as {named!r}")
    name = named or default_codec(
        row.name,
        output.codec or row.default_codec,
        audio,
        is_lossless=output.quality is Quality.LOSSLESS,
    )
    codec, packed = CODECS[name], audio.sample_format.packed
    rate = sound.sample_rate or nearest_rate(codec, audio.sample_rate)
    layout = sound.layout or nearest_layout(layouts_of(row.name, name), audio.layout)
    bits = sound.bit_rate or usual_bit_rate(codec, LAYOUTS[layout], rate)
    shape = Shape(codec.coded_formats[packed], layout, rate)
    return SoundPlan(
        codec=codec,
        settings=SoundSettings(codec.encoders[packed], shape, bits),
        sound=sound,
        remarks=tuple(_remarks(codec, row.name, sound, audio, rate, layout)),
    )


def _remarks(
    codec: SoundCodec, format_name: str, sound: SoundSpec, audio: AudioSpec, rate: int, layout: str
) -> list[SoundRemark]:
    found = []
    if rate != audio.sample_rate and not sound.sample_rate:
        message = f"{codec.name} in {format_name} does not know {audio.sample_rate} Hz; {rate} Hz are made"
        found.append(SoundRemark(WarningCode.AUDIO_RESAMPLED, message, is_fallback=False))
    if layout != audio.layout and not sound.layout:
        message = f"{codec.name} in {format_name} cannot hold {audio.layout}; it is mixed down to {layout}"
        found.append(SoundRemark(WarningCode.AUDIO_DOWNMIXED, message, is_fallback=True))
    if codec.is_lossless and audio.sample_format.packed not in codec.exact_formats:
        message = f"{codec.name} holds 24 bits of the {audio.sample_format} samples that were sent"
        found.append(SoundRemark(WarningCode.AUDIO_CONVERTED, message, is_fallback=True))
    return found
