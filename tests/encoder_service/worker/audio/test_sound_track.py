"""The sound of every container begins with its pictures, is as long as they are, and is what was sent."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest

from encoder_service.evidence.facts import Failed
from encoder_service.spec.audio.codecs import SOUND_FORMATS
from encoder_service.spec.audio.sound import LoudnessTarget, SoundSpec
from encoder_service.spec.audio.track import AudioFit, AudioSpec, SampleFormat
from encoder_service.spec.spec import Quality
from encoder_service.worker.verification.inspection import inspect
from tests.encoder_service.worker.audio.flash_and_click import (
    FPS,
    Made,
    click_times,
    clicks,
    coded,
    ffmpeg_click_times,
    ffprobe,
    heard,
    make,
    worst_skew,
)

S16, S32, FLT = SampleFormat.S16, SampleFormat.S32, SampleFormat.FLT
RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000)
LAYOUTS = ("mono", "stereo", "5.1")
WITH_PICTURES = ("mp4", "mov", "webm", "mkv")
ALL = tuple(itertools.product(SOUND_FORMATS, RATES, LAYOUTS))
PRUNED = [
    ("mp4", 24_000, "stereo"),
    ("mp4", 44_100, "5.1"),
    ("mov", 48_000, "stereo"),
    ("webm", 16_000, "mono"),
    ("webm", 48_000, "5.1"),
    ("mkv", 22_050, "mono"),
    ("mkv", 96_000, "5.1"),
    ("wav", 8_000, "5.1"),
    ("flac", 44_100, "stereo"),
    ("m4a", 16_000, "mono"),
    ("opus", 22_050, "stereo"),
]


def judge(made: Made, format_name: str, audio: AudioSpec) -> None:
    """Holds a file against the law, as decoders that are not ours see it."""
    sound = made.produced.sound
    assert sound is not None
    assert sound.samples_encoded <= sound.samples_decoded < sound.samples_encoded + 1024
    assert abs(sound.offset_seconds) <= (0.02 if format_name in {"webm", "mkv"} else 0.001)
    assert abs(sound.drift_seconds) <= 0.001
    wave, rate, first = heard(made.path)
    assert (rate, len(wave)) == (sound.sample_rate, sound.samples_decoded)
    # A resampler and a lossy codec spread the edge of a click a little before it.
    allowed = 0.0015 + 1 / audio.sample_rate
    times = [float(first) + at for at in click_times(wave, rate)]
    assert max(abs(at - round(at)) for at in times) <= allowed, times
    if format_name in WITH_PICTURES:
        assert worst_skew(made.path) <= allowed
    theirs = ffmpeg_click_times(made.path, rate)
    if theirs is not None:
        assert max(abs(at - round(at)) for at in theirs) <= allowed, theirs
    streams = ffprobe(made.path)
    if streams is not None:
        stream = next(each for each in streams if each["codec_type"] == "audio")
        assert int(str(stream["sample_rate"])) == sound.sample_rate
        assert stream["channels"] == {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8}[sound.layout]


@pytest.mark.parametrize(("format_name", "rate", "layout"), PRUNED)
def test_clicks_are_heard_when_flashes_are_seen(
    tmp_path: Path, format_name: str, rate: int, layout: str
) -> None:
    audio = AudioSpec(rate, layout, S16)
    judge(make(tmp_path, format_name, audio), format_name, audio)


@pytest.mark.soak
@pytest.mark.parametrize(("format_name", "rate", "layout"), ALL)
def test_clicks_are_heard_when_flashes_are_seen_at_every_rate(
    tmp_path: Path, format_name: str, rate: int, layout: str
) -> None:
    for sample_format in (S16, S32, FLT):
        audio = AudioSpec(rate, layout, sample_format)
        judge(make(tmp_path / sample_format, format_name, audio), format_name, audio)


@pytest.mark.parametrize(
    ("format_name", "sample_format", "layout"),
    [
        ("wav", S16, "5.1"),
        ("wav", FLT, "7.1"),
        ("mkv", S16, "7.1"),
        ("wav", S32, "mono"),
        ("wav", FLT, "stereo"),
        ("flac", S16, "5.1"),
        ("mov", FLT, "5.1"),
        ("mov", S32, "stereo"),
        ("mkv", S16, "5.1"),
        ("mkv", FLT, "stereo"),
    ],
)
def test_a_lossless_codec_gives_every_sample_back(
    tmp_path: Path, format_name: str, sample_format: SampleFormat, layout: str
) -> None:
    audio = AudioSpec(48_000, layout, sample_format)
    wave = np.random.default_rng(7).uniform(-1, 1, (audio.channels, 2 * 48_000 + 2_000))
    made = make(tmp_path, format_name, audio, wave=wave, strict=True)
    sound = made.produced.sound
    assert sound is not None
    assert sound.is_exact
    assert sound.pcm_sha256 == hashlib.sha256(coded(wave, audio)).hexdigest()
    assert not made.codes


def test_planar_samples_are_the_same_sound(tmp_path: Path) -> None:
    wave = np.random.default_rng(3).uniform(-1, 1, (2, 98_000))
    packed = AudioSpec(48_000, "stereo", S16)
    planar = AudioSpec(48_000, "stereo", SampleFormat.S16P, planar_block_samples=1_000)
    ragged = AudioSpec(48_000, "stereo", SampleFormat.S16P, planar_block_samples=33)
    hashes = set()
    for index, audio in enumerate((packed, planar, ragged)):
        sound = make(tmp_path / str(index), "wav", audio, wave=wave).produced.sound
        assert sound is not None
        hashes.add(sound.pcm_sha256)
    assert len(hashes) == 1


def test_what_a_codec_cannot_hold_exactly_is_reported_and_strict_refuses_it(tmp_path: Path) -> None:
    floats = AudioSpec(48_000, "stereo", FLT)
    made = make(tmp_path, "flac", floats)
    assert made.codes == ["AUDIO_CONVERTED"]
    refused = make(tmp_path / "strict", "flac", floats, strict=True).answer
    assert isinstance(refused, Failed)
    assert refused.code == "AUDIO_CONVERTED"
    seven = make(tmp_path / "seven", "mp4", AudioSpec(48_000, "7.1", S16))
    assert seven.codes == ["AUDIO_DOWNMIXED"]


@pytest.mark.parametrize(
    ("fit", "samples", "codes", "padded", "trimmed"),
    [
        (AudioFit.PAD, 98_000, [], 0, 0),
        (AudioFit.PAD, 90_000, ["AUDIO_PADDED"], 8_000, 0),
        (AudioFit.PAD, 1, ["AUDIO_PADDED"], 97_999, 0),
        (AudioFit.PAD, 99_000, ["AUDIO_TRIMMED"], 0, 1_000),
        (AudioFit.TRIM, 99_000, ["AUDIO_TRIMMED"], 0, 1_000),
        (AudioFit.TRIM, 90_000, [], 0, 0),
        (AudioFit.ERROR, 98_000, [], 0, 0),
    ],
)
def test_the_sound_is_fitted_to_the_pictures_as_asked(
    tmp_path: Path, fit: AudioFit, samples: int, codes: list[str], padded: int, trimmed: int
) -> None:
    audio = AudioSpec(48_000, "mono", S16, fit)
    made = make(tmp_path, "mp4", audio, samples=samples)
    sound = made.produced.sound
    assert sound is not None
    assert made.codes == codes
    assert (sound.samples_sent, sound.samples_padded, sound.samples_trimmed) == (samples, padded, trimmed)
    assert sound.samples_encoded == samples + padded - trimmed
    assert made.produced.readback.frame_count == 2 * FPS + 1, "pictures are never cut"


def test_forced_trimming_is_an_error_where_strict_and_asked_for_trimming_is_none(tmp_path: Path) -> None:
    for fit, expected in ((AudioFit.PAD, "AUDIO_TRIMMED"), (AudioFit.ERROR, "AUDIO_LENGTH_DIFFERS")):
        answer = make(
            tmp_path / fit, "mp4", AudioSpec(48_000, "mono", S16, fit), samples=99_000, strict=True
        ).answer
        assert isinstance(answer, Failed)
        assert answer.code == expected
    made = make(
        tmp_path / "trim", "mp4", AudioSpec(48_000, "mono", S16, AudioFit.TRIM), samples=99_000, strict=True
    )
    assert made.produced.sound is not None


def test_sound_is_cut_with_pictures_that_end_by_a_maximum_duration(tmp_path: Path) -> None:
    audio = AudioSpec(48_000, "mono", S16, AudioFit.ERROR)
    sound = make(tmp_path, "mp4", audio, max_duration_seconds=1.0).produced.sound
    assert sound is not None
    assert (sound.samples_encoded, sound.samples_trimmed) == (48_000, 50_000)


def test_volume_and_fades_are_applied_in_the_time_of_the_output(tmp_path: Path) -> None:
    audio = AudioSpec(48_000, "mono", FLT)
    wave = np.full((1, 98_000), 0.5)
    spec = SoundSpec(volume=0.5, fade_in_seconds=0.5, fade_out_seconds=1.0)
    made = make(tmp_path, "wav", audio, wave=wave, sound=spec)
    found, _, _ = heard(made.path)
    assert found[0] == 0
    assert found[12_000] == pytest.approx(0.125, abs=1e-4)
    assert found[30_000] == pytest.approx(0.25, abs=1e-6)
    assert found[98_000 - 24_000] == pytest.approx(0.125, abs=1e-4)
    assert found[-1] == 0


def test_values_beyond_full_scale_are_cut_and_counted(tmp_path: Path) -> None:
    audio = AudioSpec(48_000, "mono", S16)
    made = make(tmp_path, "wav", audio, wave=np.full((1, 98_000), 0.5), sound=SoundSpec(volume=3.0))
    assert made.codes == ["AUDIO_CLIPPED"]
    sound = made.produced.sound
    assert sound is not None
    assert sound.samples_clipped == 98_000
    assert np.abs(heard(made.path)[0]).max() <= 1


@pytest.mark.parametrize("peak", [1.5, 30_000.0, 1e10, 3e38])
@pytest.mark.parametrize("format_name", ["mp4", "opus", "flac"])
def test_floats_beyond_full_scale_are_cut_with_a_warning_in_every_codec(
    tmp_path: Path, format_name: str, peak: float
) -> None:
    audio = AudioSpec(48_000, "stereo", FLT)
    wave = clicks(98_000, audio)
    wave[1, 1_000:1_100] = peak
    made = make(tmp_path, format_name, audio, wave=wave)
    assert "AUDIO_CLIPPED" in made.codes
    sound = made.produced.sound
    assert sound is not None
    assert sound.samples_clipped == 100
    assert np.abs(heard(made.path)[0]).max() < 2
    answer = make(tmp_path / "strict", format_name, audio, wave=wave, strict=True).answer
    assert isinstance(answer, Failed)


def test_floats_beyond_full_scale_are_kept_where_floats_are(tmp_path: Path) -> None:
    audio = AudioSpec(48_000, "mono", FLT)
    wave = clicks(98_000, audio)
    wave[0, 1_000:1_100] = 1e10
    made = make(tmp_path, "wav", audio, wave=wave)
    assert not made.codes
    assert heard(made.path)[0].max() == np.float32(1e10)


def test_loudness_is_measured_and_reached_by_one_gain(tmp_path: Path) -> None:
    audio = AudioSpec(48_000, "stereo", S16)
    seconds = np.arange(5 * 48_000) / 48_000
    wave = np.repeat(0.1 * np.sin(2 * np.pi * 997 * seconds)[None], 2, axis=0)
    made = make(
        tmp_path, "mp4", audio, frames=5 * FPS, wave=wave, sound=SoundSpec(loudness=LoudnessTarget(-14.0))
    )
    sound = made.produced.sound
    assert sound is not None
    assert sound.loudness_sent.integrated_lufs == pytest.approx(-20.0, abs=0.1)  # 997 Hz: 0 dBFS is 0 LUFS
    assert sound.loudness_sent.true_peak_dbtp == pytest.approx(-20.0, abs=0.1)
    assert sound.loudness.integrated_lufs == pytest.approx(-14.0, abs=0.3)
    assert sound.gain_db == pytest.approx(6.0, abs=0.1)
    assert not made.codes


def test_a_peak_that_is_in_the_way_of_the_loudness_is_reported(tmp_path: Path) -> None:
    audio = AudioSpec(48_000, "mono", S16)
    spec = SoundSpec(loudness=LoudnessTarget(-5.0, -1.0))
    made = make(tmp_path, "wav", audio, sound=spec)
    assert made.codes == ["LOUDNESS_NOT_REACHED"]
    sound = made.produced.sound
    assert sound is not None
    assert sound.loudness.true_peak_dbtp == pytest.approx(-1.0, abs=0.2)
    silent = make(tmp_path / "silent", "wav", audio, wave=np.zeros((1, 98_000)), sound=spec)
    assert silent.codes == ["LOUDNESS_NOT_REACHED"]
    assert silent.produced.sound is not None
    assert silent.produced.sound.loudness.integrated_lufs is None


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_fail_with_their_place(tmp_path: Path, poison: float) -> None:
    audio = AudioSpec(48_000, "stereo", FLT)
    wave = clicks(98_000, audio)
    wave[1, 54_321] = poison
    answer = make(tmp_path, "mp4", audio, wave=wave).answer
    assert isinstance(answer, Failed)
    assert answer.code == "INVALID_SAMPLES"
    assert "sample 54321 of channel 1" in answer.message


def test_a_flipped_bit_in_the_spool_of_sound_is_found(tmp_path: Path) -> None:
    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[50_000] ^= 1
        path.write_bytes(data)

    answer = make(tmp_path, "mp4", AudioSpec(48_000, "mono", S16), spoil=flip).answer
    assert isinstance(answer, Failed)
    assert answer.code == "SPOOL_DAMAGED"


@pytest.mark.parametrize("format_name", ["gif", "webp", "png", "apng", "avif"])
def test_a_format_without_sound_says_that_it_drops_it(tmp_path: Path, format_name: str) -> None:
    audio = AudioSpec(48_000, "mono", S16)
    assert "AUDIO_DROPPED" in make(tmp_path, format_name, audio, frames=3).codes
    silent = SoundSpec(is_disabled=True)
    assert "AUDIO_DROPPED" not in make(tmp_path / "silent", format_name, audio, frames=3, sound=silent).codes


@pytest.mark.parametrize(
    ("format_name", "codec"), [("mp4", "h264"), ("webm", "vp9"), ("mov", "prores"), ("mkv", "ffv1")]
)
def test_pictures_beside_sound_are_those_without_it(tmp_path: Path, format_name: str, codec: str) -> None:
    audio = AudioSpec(48_000, "stereo", S16)
    with_sound = make(tmp_path, format_name, audio, codec=codec, quality=Quality.STANDARD)
    silent = make(
        tmp_path / "silent",
        format_name,
        audio,
        codec=codec,
        quality=Quality.STANDARD,
        sound=SoundSpec(is_disabled=True),
    )
    assert silent.produced.sound is None
    one, other = with_sound.produced.readback, silent.produced.readback
    assert one.color_container == other.color_container
    assert (one.frame_count, one.frame_rate, one.is_faststart) == (
        other.frame_count,
        other.frame_rate,
        other.is_faststart,
    )
    assert one.duration_seconds == pytest.approx(other.duration_seconds, abs=0.002)
    found = inspect(with_sound.path, format_name)
    assert found.sound is not None
    assert found.frame_count == one.frame_count


def test_a_codec_an_encoder_and_a_bit_rate_are_used_as_named(tmp_path: Path) -> None:
    audio = AudioSpec(44_100, "stereo", S16)
    small = make(
        tmp_path,
        "mp4",
        audio,
        sound=SoundSpec(codec="aac", bit_rate=32_000, sample_rate=22_050, layout="mono"),
    )
    sound = small.produced.sound
    assert sound is not None
    assert (sound.codec, sound.bit_rate, sound.sample_rate, sound.layout) == ("aac", 32_000, 22_050, "mono")
    alac = make(tmp_path / "alac", "mp4", audio, sound=SoundSpec(codec="alac")).produced.sound
    assert alac is not None
    assert (alac.codec, alac.is_exact) == ("alac", True)
