"""A declared sound, and what outputs ask of it: all that is wrong is named at once, before any work."""

from __future__ import annotations

import math

import pytest
from google.protobuf.duration_pb2 import Duration
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.spec.audio.codecs import CODECS, SOUND_FORMATS, default_codec, layouts_of, nearest_layout
from encoder_service.spec.audio.track import LAYOUTS, AudioSpec, SampleFormat
from encoder_service.wire.job_spec import parse_spec
from tests.encoder_service.raw_client import spec

LIMITS = EncoderConfig(max_audio_bytes=1 << 20, max_audio_seconds=5.0).wire_limits


def track(**fields: object) -> pb.AudioTrack:
    """A stereo track; `fields` replace some."""
    usual = {"sample_rate": 48_000, "channels": 2, "sample_format": "s16", "layout": "stereo"}
    return pb.AudioTrack(**{**usual, **fields})  # type: ignore[arg-type]


def faults(*outputs: pb.OutputSpec | str, audio: pb.AudioTrack | None, **fields: object) -> list[str]:
    """The fields that are refused."""
    message = spec("job", *outputs, **fields)
    if audio is not None:
        message.audio.CopyFrom(audio)
    try:
        parse_spec(message, LIMITS)
    except ServiceError as error:
        return [f"{violation.field}" for violation in error.violations] or [error.reason_name]
    return []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sample_rate": 0}, "spec.audio.sample_rate"),
        ({"sample_rate": 7_999}, "spec.audio.sample_rate"),
        ({"sample_rate": 192_001}, "spec.audio.sample_rate"),
        ({"channels": 0}, "spec.audio.channels"),
        ({"channels": 6}, "spec.audio.channels"),
        ({"layout": ""}, "spec.audio.layout"),
        ({"layout": "5.1(side)"}, "spec.audio.layout"),
        ({"sample_format": ""}, "spec.audio.sample_format"),
        ({"sample_format": "s24"}, "spec.audio.sample_format"),
        ({"sample_format": "s16p"}, "spec.audio.planar_block_samples"),
        ({"planar_block_samples": 1024}, "spec.audio.planar_block_samples"),
        ({"sample_format": "fltp", "planar_block_samples": 65_537}, "spec.audio.planar_block_samples"),
        ({"fit": 9}, "spec.audio.fit"),
        ({"expected_samples": -1}, "spec.audio.expected_samples"),
        ({"expected_samples": 240_001}, "spec.audio.expected_samples"),
        ({"sample_rate": 96_000, "expected_samples": (1 << 18) + 1}, "spec.audio.expected_samples"),
    ],
)
def test_a_wrong_track_is_refused_by_its_field(fields: dict[str, object], field: str) -> None:
    assert faults(audio=track(**fields)) == [field]


def test_every_wrong_field_of_a_track_is_named_at_once() -> None:
    wrong = track(sample_rate=1, channels=3, sample_format="x")
    assert len(faults(audio=wrong)) == 3


def test_planar_samples_come_in_blocks_of_a_declared_size() -> None:
    assert not faults(audio=track(sample_format="fltp", planar_block_samples=1024))


def sound(format_name: str = "mp4", **fields: object) -> pb.OutputSpec:
    """An output with settings of its sound."""
    return pb.OutputSpec(format=format_name, sound=pb.OutputSound(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("output", "field"),
    [
        (sound(codec="mp3"), "codec"),
        (sound("webm", codec="aac"), "codec"),
        (sound(sample_rate=1), "sample_rate"),
        (sound("webm", sample_rate=44_100), "sample_rate"),
        (sound(layout="7.1"), "layout"),
        (sound(layout="../../etc/passwd"), "layout"),
        (sound(bit_rate=1), "bit_rate"),
        (sound(bit_rate=1_000_000), "bit_rate"),
        (sound("mov", codec="pcm", bit_rate=128_000), "bit_rate"),
        (sound(volume=-1), "volume"),
        (sound(volume=math.nan), "volume"),
        (sound(volume=math.inf), "volume"),
        (sound(fade_in=Duration(seconds=3_601)), "fade_in"),
        (sound(fade_out=Duration(seconds=-1)), "fade_out"),
        (sound(loudness=pb.Loudness(target_lufs=0)), "loudness.target_lufs"),
        (sound(loudness=pb.Loudness(target_lufs=math.nan)), "loudness.target_lufs"),
        (sound(loudness=pb.Loudness(target_lufs=-14, true_peak_dbtp=1)), "loudness.true_peak_dbtp"),
        (sound(is_disabled=True, volume=1), "is_disabled"),
        (sound("wav", is_disabled=True), "is_disabled"),
    ],
)
def test_what_an_output_cannot_do_with_its_sound_is_refused(output: pb.OutputSpec, field: str) -> None:
    found = faults(output, audio=track())
    assert found, output
    assert all(each.startswith(f"spec.outputs[0].sound.{field}") for each in found), found


def test_sound_is_refused_where_the_job_has_none() -> None:
    assert faults("wav", audio=None) == ["spec.outputs[0].format"]
    assert faults(sound(volume=0.5), audio=None) == ["spec.outputs[0].sound"]
    assert not faults(sound(is_disabled=True), audio=None)


@pytest.mark.parametrize("format_name", ["gif", "webp", "apng", "png", "avif"])
def test_strict_refuses_a_format_that_would_drop_the_sound(format_name: str) -> None:
    assert not faults(format_name, audio=track())
    assert faults("mp4", format_name, audio=track(), strict=True) == ["spec.outputs[1].strict"]
    silent = sound(format_name, is_disabled=True)
    assert not faults("mp4", silent, audio=track(), strict=True)
    assert faults(sound(format_name, volume=0.5), audio=track()) == ["spec.outputs[0].sound"]


def test_a_single_picture_owes_no_sound() -> None:
    assert not faults("poster", "contact_sheet", audio=track(), strict=True)


def test_strict_refuses_what_is_seen_to_need_a_fallback() -> None:
    seven = track(channels=8, layout="7.1")
    assert faults("mp4", audio=seven, strict=True) == ["spec.outputs[0].sound.layout"]
    assert not faults(sound(layout="stereo"), audio=seven, strict=True)
    floats = track(sample_format="flt")
    assert faults("flac", audio=floats, strict=True) == ["spec.outputs[0].sound.codec"]
    assert not faults("wav", "mov", audio=floats, strict=True)


@pytest.mark.parametrize("sample_format", [SampleFormat.S16, SampleFormat.S32, SampleFormat.FLT])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_format_has_a_codec_and_a_layout_for_every_track(
    layout: str, sample_format: SampleFormat
) -> None:
    audio = AudioSpec(48_000, layout, sample_format)
    for name in SOUND_FORMATS:
        for is_lossless in (False, True):
            codec = default_codec(name, "h264", audio, is_lossless=is_lossless)
            assert codec in SOUND_FORMATS[name].codecs
            chosen = nearest_layout(layouts_of(name, codec), layout)
            assert LAYOUTS[chosen] <= LAYOUTS[layout]
            assert sample_format in CODECS[codec].encoders
