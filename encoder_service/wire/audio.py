"""Turns a spec's audio track, and what outputs make of it, into the service's own types."""

from __future__ import annotations

import math

from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.spec.audio.codecs import (
    CODECS,
    RATES,
    SILENT_BY_NATURE,
    SOUND_FORMATS,
    SoundCodec,
    default_codec,
    layouts_of,
    most_bits,
    nearest_layout,
    nearest_rate,
)
from encoder_service.spec.audio.sound import (
    DEFAULT_PEAK_DBTP,
    MAX_FADE_SECONDS,
    MAX_LUFS,
    MAX_PEAK_DBTP,
    MAX_VOLUME,
    MIN_LUFS,
    MIN_PEAK_DBTP,
    LoudnessTarget,
    SoundSpec,
)
from encoder_service.spec.audio.track import (
    LAYOUTS,
    MAX_PLANAR_BLOCK_SAMPLES,
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    AudioFit,
    AudioSpec,
    SampleFormat,
)
from encoder_service.spec.formats import FORMATS, WriterKind
from encoder_service.spec.spec import OutputSpec, Quality
from encoder_service.wire.fields import FieldViolations
from encoder_service.wire.limits import WireLimits
from encoder_service.wire.overlays import seconds

FITS: dict[int, AudioFit] = {
    pb.AUDIO_FIT_UNSPECIFIED: AudioFit.PAD,
    pb.AUDIO_FIT_PAD: AudioFit.PAD,
    pb.AUDIO_FIT_TRIM: AudioFit.TRIM,
    pb.AUDIO_FIT_ERROR: AudioFit.ERROR,
}
_FORMATS = ", ".join(SampleFormat)
_LAYOUTS = ", ".join(LAYOUTS)


def parse_audio(message: pb.JobSpec, limits: WireLimits, violations: FieldViolations) -> AudioSpec | None:
    """Returns the audio track; None where none is declared. Wrong fields go to `violations`."""
    if not message.HasField("audio"):
        return None
    track, at, before = message.audio, "spec.audio", len(violations.found)
    violations.number(track.sample_rate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, f"{at}.sample_rate")
    violations.check(
        track.sample_format in set(SampleFormat),
        f"{at}.sample_format",
        f"{track.sample_format[:40]!r} is none of {_FORMATS}",
    )
    channels = LAYOUTS.get(track.layout)
    violations.check(channels is not None, f"{at}.layout", f"{track.layout[:40]!r} is none of {_LAYOUTS}")
    violations.check(
        channels is None or track.channels == channels,
        f"{at}.channels",
        f"must be {channels}, which {track.layout[:40]} has, is {track.channels}",
    )
    violations.number(track.expected_samples, 0, 1 << 40, f"{at}.expected_samples")
    _check_blocks(track, violations)
    fit = violations.pick(FITS, track.fit, f"{at}.fit", AudioFit.PAD)
    if len(violations.found) > before:
        return None
    audio = AudioSpec(
        sample_rate=track.sample_rate,
        layout=track.layout,
        sample_format=SampleFormat(track.sample_format),
        fit=fit,
        expected_samples=track.expected_samples,
        planar_block_samples=track.planar_block_samples,
    )
    _check_length(audio, limits, violations)
    return audio


def _check_blocks(track: pb.AudioTrack, violations: FieldViolations) -> None:
    is_planar = track.sample_format.endswith("p")
    least, most = (1, MAX_PLANAR_BLOCK_SAMPLES) if is_planar else (0, 0)
    violations.check(
        least <= track.planar_block_samples <= most,
        "spec.audio.planar_block_samples",
        f"must be 1 to {MAX_PLANAR_BLOCK_SAMPLES} for planar sample formats and 0 for interleaved ones, "
        f"is {track.planar_block_samples}",
    )


def _check_length(audio: AudioSpec, limits: WireLimits, violations: FieldViolations) -> None:
    at, samples = "spec.audio.expected_samples", audio.expected_samples
    violations.check(
        samples * audio.sample_bytes <= limits.max_audio_bytes,
        at,
        f"{samples} samples have {samples * audio.sample_bytes} bytes; "
        f"this server takes at most {limits.max_audio_bytes} (max_audio_bytes)",
    )
    violations.check(
        samples <= limits.max_audio_seconds * audio.sample_rate,
        at,
        f"{samples} samples last {samples / audio.sample_rate:g} s; "
        f"this server takes at most {limits.max_audio_seconds:g} s (max_audio_seconds)",
    )


def parse_sound(message: pb.OutputSpec, at: str, violations: FieldViolations) -> SoundSpec | None:
    """Returns what an output makes of the sound; None: all defaults."""
    if not message.HasField("sound"):
        return None
    sound, at = message.sound, f"{at}.sound"
    if sound.is_disabled:
        alone = pb.OutputSound(is_disabled=True) == sound
        violations.check(alone, f"{at}.is_disabled", "must be the only field: nothing becomes of no sound")
        return SoundSpec(is_disabled=True)
    return SoundSpec(
        codec=sound.codec,
        bit_rate=sound.bit_rate,
        sample_rate=sound.sample_rate,
        layout=sound.layout,
        volume=_real(sound.volume, 0, MAX_VOLUME, f"{at}.volume", violations)
        if sound.HasField("volume")
        else 1.0,
        fade_in_seconds=_fade(sound.fade_in, f"{at}.fade_in", violations),
        fade_out_seconds=_fade(sound.fade_out, f"{at}.fade_out", violations),
        loudness=_loudness(sound.loudness, f"{at}.loudness", violations)
        if sound.HasField("loudness")
        else None,
    )


def _fade(message: Duration, at: str, violations: FieldViolations) -> float:
    length = seconds(message, at, violations)
    violations.check(
        length <= MAX_FADE_SECONDS, at, f"must be at most {MAX_FADE_SECONDS:g} seconds, is {length:g}"
    )
    return length


def _loudness(message: pb.Loudness, at: str, violations: FieldViolations) -> LoudnessTarget:
    peak = message.true_peak_dbtp if message.HasField("true_peak_dbtp") else DEFAULT_PEAK_DBTP
    return LoudnessTarget(
        _real(message.target_lufs, MIN_LUFS, MAX_LUFS, f"{at}.target_lufs", violations),
        _real(peak, MIN_PEAK_DBTP, MAX_PEAK_DBTP, f"{at}.true_peak_dbtp", violations),
    )


def _real(value: float, least: float, most: float, at: str, violations: FieldViolations) -> float:
    is_inside = math.isfinite(value) and least <= value <= most
    violations.check(is_inside, at, f"must be {least:g} to {most:g}, is {value:g}")
    return value if is_inside else most


def check_sound(
    output: OutputSpec, audio: AudioSpec | None, at: str, *, has_audio: bool, violations: FieldViolations
) -> None:
    """Notes what an output cannot do with the job's sound.

    `has_audio`: a track is declared; `audio` is None all the same where its own fields are wrong.
    """
    row = FORMATS.get(output.format)
    if row is None:
        return
    sound = output.sound
    is_sound_alone = row.writer is WriterKind.SOUND
    if not has_audio:
        missing = "the job has no sound: spec.audio is not set"
        violations.check(not is_sound_alone, f"{at}.format", f"{output.format} is a file of sound; {missing}")
        violations.check(sound is None or sound.is_disabled, f"{at}.sound", missing)
        return
    if sound is not None and sound.is_disabled:
        message = f"must not be true: {output.format} is a file of sound"
        violations.check(not is_sound_alone, f"{at}.sound.is_disabled", message)
    elif output.format not in SOUND_FORMATS:
        _check_silent(output, at, violations)
    elif audio is not None:
        _check_codec(output, sound or SoundSpec(), audio, row.default_codec, at, violations)


def _check_silent(output: OutputSpec, at: str, violations: FieldViolations) -> None:
    violations.check(
        output.sound is None,
        f"{at}.sound",
        f"must not be set: {output.format} holds no sound; expected one of {', '.join(SOUND_FORMATS)}",
    )
    violations.check(
        not output.strict or output.format in SILENT_BY_NATURE or output.sound is not None,
        f"{at}.strict",
        f"{output.format} holds no sound, and strict forbids to drop it (AUDIO_DROPPED); set "
        "sound.is_disabled for this output, or strict to false",
    )


def _check_codec(
    output: OutputSpec,
    sound: SoundSpec,
    audio: AudioSpec,
    row_codec: str,
    at: str,
    violations: FieldViolations,
) -> None:
    at, named = f"{at}.sound", named_codec(output)
    allowed = SOUND_FORMATS[output.format].codecs
    if named and named not in allowed:
        known = ", ".join(allowed)
        violations.add(f"{at}.codec", f"{named[:40]!r} is none that {output.format} holds; expected {known}")
        return
    name = named or default_codec(
        output.format, output.codec or row_codec, audio, is_lossless=output.quality is Quality.LOSSLESS
    )
    codec, layouts = CODECS[name], layouts_of(output.format, name)
    rates = codec.rates or RATES
    violations.check(
        not sound.sample_rate or sound.sample_rate in rates,
        f"{at}.sample_rate",
        f"{name} takes {', '.join(map(str, rates))}, not {sound.sample_rate}",
    )
    violations.check(
        not sound.layout or sound.layout in layouts,
        f"{at}.layout",
        f"{name} in {output.format} takes {', '.join(layouts)}, not {sound.layout[:40]!r}",
    )
    if sound.bit_rate and sound.layout in ("", *layouts):
        rate = sound.sample_rate or nearest_rate(codec, audio.sample_rate)
        channels = LAYOUTS[sound.layout or nearest_layout(layouts, audio.layout)]
        _check_bits(codec, sound.bit_rate, channels, rate, at, violations)
    _check_strict(output, codec, sound, audio, layouts, at, violations)


def named_codec(output: OutputSpec) -> str:
    """The codec of sound that an output names; a file of sound may name it in either place."""
    row = FORMATS.get(output.format)
    is_sound_alone = row is not None and row.writer is WriterKind.SOUND
    own = output.sound.codec if output.sound is not None else ""
    return own or (output.codec if is_sound_alone else "")


def _check_bits(
    codec: SoundCodec, bit_rate: int, channels: int, sample_rate: int, at: str, violations: FieldViolations
) -> None:
    least, most = codec.channel_bits[0] * channels, most_bits(codec, channels, sample_rate)
    if not most:
        violations.add(f"{at}.bit_rate", f"must be 0: {codec.name} has no bit rate")
        return
    what = f"{codec.name} with {channels} channels at {sample_rate} Hz"
    violations.check(
        least <= bit_rate <= most, f"{at}.bit_rate", f"{what} takes {least} to {most}, not {bit_rate}"
    )


def _check_strict(
    output: OutputSpec,
    codec: SoundCodec,
    sound: SoundSpec,
    audio: AudioSpec,
    layouts: tuple[str, ...],
    at: str,
    violations: FieldViolations,
) -> None:
    """What is seen to need a fallback is refused before any work is done."""
    if not output.strict:
        return
    violations.check(
        bool(sound.layout) or audio.layout in layouts,
        f"{at}.layout",
        f"{codec.name} in {output.format} cannot hold {audio.layout}, and strict forbids to mix it down "
        "(AUDIO_DOWNMIXED); name a layout",
    )
    violations.check(
        not codec.is_lossless or audio.sample_format.packed in codec.exact_formats,
        f"{at}.codec",
        f"{codec.name} cannot hold {audio.sample_format} exactly, and strict forbids to convert it "
        "(AUDIO_CONVERTED); take pcm, or strict to false",
    )
