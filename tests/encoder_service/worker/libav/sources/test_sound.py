"""The sound of a file is laid against its first picture, sample for sample where its codec is exact."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from encoder_service.spec.codes import WarningCode
from encoder_service.spec.errors import OutputError
from encoder_service.worker.libav.sources.sound import SourceSound, open_source_sound

RATE = 8000


def write(
    path: Path,
    *,
    codec: str = "pcm_s16le",
    rate: int = RATE,
    layout: str = "mono",
    sample_format: str = "s16",
    starts: tuple[float, ...] = (0.0,),
    tracks: int = 1,
) -> Path:
    """One second of a ramp from each start on, in pieces of 0.1 s; only so much of it is heard as fits."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=rate, layout=layout) for _ in range(tracks)]
        for stream in streams:
            stream.codec_context.format = sample_format
            stream.time_base = Fraction(1, rate)
        for number, stream in enumerate(streams):
            for start in starts:
                for piece in range(10):
                    samples = ramp(piece * rate // 10, rate // 10, sample_format, stream.layout.nb_channels)
                    frame = av.AudioFrame.from_ndarray(samples, sample_format, layout)
                    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                    frame.pts = round(start * rate) + piece * rate // 10 + number
                    container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def ramp(start: int, count: int, sample_format: str, channels: int) -> npt.NDArray[Any]:
    values = np.arange(start + 1, start + count + 1)
    spread = values[:, None] * np.ones(channels, int)
    if sample_format.startswith("flt"):
        return planes((spread / 65536).astype(np.float32), sample_format)
    dtype = np.int32 if sample_format.startswith("s32") else np.int16
    return planes((spread << (16 if dtype is np.int32 else 0)).astype(dtype), sample_format)


def planes(samples: npt.NDArray[Any], sample_format: str) -> npt.NDArray[Any]:
    if sample_format.endswith("p"):
        return np.ascontiguousarray(samples.T)
    return samples.reshape(1, -1)


def opened(path: Path) -> SourceSound:
    sound = open_source_sound(path)
    assert sound is not None
    return sound


def heard(sound: SourceSound, begins_at: Fraction | None, seconds: Fraction | int) -> npt.NDArray[Any]:
    return np.concatenate(list(sound.pieces(begins_at, Fraction(seconds))))


@pytest.mark.parametrize(
    ("begins_at", "seconds", "silence", "first", "count", "left_out"),
    [
        (Fraction(0), Fraction(1), 0, 1, 8000, ()),
        (Fraction(0), Fraction(2), 0, 1, 8000, ()),  # shorter than the pictures: the service pads
        (Fraction(0), Fraction(1, 2), 0, 1, 4000, ("0.500 s of it after the last picture",)),
        (Fraction(1, 4), Fraction(3, 4), 0, 2001, 6000, ("0.250 s of it before the first picture",)),
        (Fraction(-1, 4), Fraction(2), 2000, 1, 10000, ()),
        (Fraction(-3), Fraction(1), 8000, 0, 8000, ("3.000 s of it after the last picture",)),
        (Fraction(5), Fraction(1), 1, 0, 1, ("before the first picture",)),
        (None, Fraction(1), 0, 1, 8000, ()),
    ],
)
def test_sound_begins_with_the_first_picture(
    tmp_path: Path,
    begins_at: Fraction | None,
    seconds: Fraction,
    silence: int,
    first: int,
    count: int,
    left_out: tuple[str, ...],
) -> None:
    sound = opened(write(tmp_path / "clip.mov"))
    samples = heard(sound, begins_at, seconds)
    assert len(samples) == count
    assert not samples[:silence].any()
    assert len(samples) == silence or samples[silence, 0] == first
    assert np.array_equal(samples[silence:, 0], np.arange(first, first + count - silence))
    assert [loss.code for loss in sound.losses] == [WarningCode.SOURCE_SOUND_CHANGED] * len(left_out)
    assert all(words in loss.message for words, loss in zip(left_out, sound.losses, strict=True))


def test_a_gap_between_samples_stays_a_gap_and_an_overlap_is_heard_once(tmp_path: Path) -> None:
    gap = heard(opened(write(tmp_path / "gap.mkv", starts=(0.0, 1.5))), Fraction(0), 3)
    assert len(gap) == 20000
    assert np.array_equal(gap[:8000, 0], np.arange(1, 8001))
    assert not gap[8000:12000].any()
    assert gap[12000, 0] == 1


@pytest.mark.parametrize(
    ("name", "codec", "layout", "coded", "expected"),
    [
        ("clip.mov", "pcm_s16le", "stereo", "s16", ("s16", "stereo")),
        ("clip.mov", "pcm_s24le", "mono", "s32", ("s32", "mono")),
        ("clip.mov", "pcm_f32le", "stereo", "flt", ("flt", "stereo")),
        ("clip.mka", "flac", "5.1", "s16", ("s16", "5.1")),
        ("clip.mka", "flac", "5.1(side)", "s16", ("s16", "5.1")),
        ("clip.m4a", "alac", "stereo", "s16p", ("s16", "stereo")),
        ("clip.wav", "pcm_s16le", "7.1", "s16", ("s16", "7.1")),
        ("clip.mka", "flac", "6.1", "s16", ("s16", "5.1")),
        ("clip.au", "pcm_s16be", "mono", "s16", ("s16", "mono")),
    ],
)
def test_samples_are_sent_as_they_are_where_the_contract_has_their_kind(
    tmp_path: Path, name: str, codec: str, layout: str, coded: str, expected: tuple[str, str]
) -> None:
    path = write(tmp_path / name, codec=codec, layout=layout, sample_format=coded)
    sound = opened(path)
    assert (sound.sample_format, sound.layout, sound.sample_rate) == (*expected, RATE)
    samples = heard(sound, Fraction(0), 1)
    is_mixed = layout == "6.1"
    assert [loss.code for loss in sound.losses] == [WarningCode.SOURCE_SOUND_CHANGED] * is_mixed
    channels = samples.shape[1]
    assert samples.shape == (RATE, channels)
    if not is_mixed:
        expected_samples = ramp(0, RATE, coded.removesuffix("p"), channels).reshape(-1, channels)
        assert np.array_equal(samples, expected_samples)


def test_a_rate_beyond_what_is_sent_is_resampled_with_a_word(tmp_path: Path) -> None:
    sound = opened(write(tmp_path / "clip.wav", rate=4000))
    assert sound.sample_rate == 8000
    assert abs(len(heard(sound, Fraction(0), 2)) - 8000) < 40
    assert "4000 Hz are resampled to 8000" in sound.losses[0].message


def test_one_track_of_several_is_taken_and_the_others_are_counted(tmp_path: Path) -> None:
    sound = opened(write(tmp_path / "clip.mka", tracks=3))
    assert [(loss.code, loss.message) for loss in sound.losses] == [
        (WarningCode.SOURCE_SOUND_DROPPED, "2 other sound tracks are left out")
    ]
    sound.close()


def test_channels_in_an_order_of_the_files_own_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    """PyAV aborts the process for such a file."""
    path = write(tmp_path / "clip.mov", layout="5.1")
    data = path.read_bytes()
    tag_at = data.index(b"chan") + 8
    # kAudioChannelLayoutTag_MPEG_5_1_B: left, right, and so on, with the centre behind the surround channels.
    path.write_bytes(data[:tag_at] + struct.pack(">III", 122 << 16 | 6, 0, 0) + data[tag_at + 12 :])
    with pytest.raises(OutputError, match=r"an order that cannot be read, 6 channels \(FL"):
        open_source_sound(path)


def test_a_file_without_sound_has_none_and_a_damaged_track_says_so(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "silent.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(32, 24, "yuv420p")))
        container.mux(stream.encode())
    assert open_source_sound(tmp_path / "silent.mkv") is None

    path = write(tmp_path / "clip.m4a", codec="aac", sample_format="fltp", rate=48000, starts=(0.0, 1.0))
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 200):
        data[at] ^= 0x5A
    path.write_bytes(data)
    sound = opened(path)
    assert 0 < len(heard(sound, Fraction(0), 2)) <= 2 * 48000
    assert sound.damage
    path.write_bytes(bytes(data[: len(data) // 2]))
    with pytest.raises(OutputError) as refused:
        open_source_sound(path)
    assert refused.value.code == "SOURCE_UNREADABLE"
