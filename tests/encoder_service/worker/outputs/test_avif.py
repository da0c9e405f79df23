"""Animated AVIF, as FFmpeg's reader and libavif (in Pillow) see it."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from PIL import Image

from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import AlphaMode, PixelFormat, Quality, Rational
from encoder_service.worker.containers.isobmff import read_movie_facts
from encoder_service.worker.libav.video_file import open_video
from encoder_service.worker.process.capabilities import color_bars
from encoder_service.worker.verification.inspection import inspect
from encoder_service.worker.writer import open_writer
from tests.encoder_service.worker.outputs.drawing import Clip, Run, gradient_clip, run_writer

BARS = ((235, 235, 235), (235, 235, 16), (16, 235, 235), (16, 235, 16), (235, 16, 235), (235, 16, 16))


def bars(frames: int) -> Clip:
    drawn = [np.frombuffer(color_bars(index, PixelFormat.RGB24), np.uint8) for index in range(frames)]
    return np.stack(drawn).reshape(frames, 144, 256, 3)


def made(directory: Path, clip: Clip, **output: object) -> Run:
    return run_writer(directory, clip, **({"format": "avif", "quality": Quality.HIGH} | output))


def test_other_readers_see_every_frame_its_colours_and_its_time(tmp_path: Path) -> None:
    run = made(tmp_path, bars(5), frame_rate=Rational(20))
    assert run.warnings == []
    with Image.open(run.path) as image:
        assert (image.format, image.size, image.n_frames) == ("AVIF", (256, 144), 5)
        shown = []
        for index in range(5):
            image.seek(index)
            image.load()
            shown.append(image.info["duration"])
            for bar in range(6):
                found = np.asarray(image.getpixel((21 + 256 * bar // 6, 70)), dtype=int)
                assert np.abs(found - BARS[(bar + index) % 6]).max() <= 14, (index, bar)
    assert sum(shown) == 5 * 50
    with av.open(str(run.path)) as file:
        track = file.streams.video[1]  # the first is the still picture, for readers that do not animate
        assert (track.frames, track.average_rate, track.codec_context.name) == (5, 20, "libdav1d")
        assert (track.codec_context.color_primaries, track.codec_context.colorspace) == (1, 1)


@pytest.mark.parametrize("rate", [Rational(24), Rational(30000, 1001), Rational(101, 66), Rational(240)])
@pytest.mark.parametrize("frames", [2, 7])
def test_times_are_exact_whatever_the_rate(tmp_path: Path, rate: Rational, frames: int) -> None:
    run = made(tmp_path, gradient_clip(frames, 48, 64), frame_rate=rate)
    exact = Fraction(rate.denominator, rate.numerator)
    assert read_movie_facts(run.path).frame_durations == (exact,)
    assert run.finished.readback.duration_seconds == pytest.approx(float(frames * exact), rel=1e-12)
    assert inspect(run.path, "avif").duration_seconds == pytest.approx(float(frames * exact))


@pytest.mark.parametrize("loops", [0, 1, 3, 65535])
def test_it_is_played_as_often_as_was_asked(tmp_path: Path, loops: int) -> None:
    run = made(tmp_path, gradient_clip(3, 48, 64), loop_count=loops)
    assert run.finished.readback.loop_count == loops
    assert inspect(run.path, "avif").loop_count == loops


def test_one_frame_is_a_still_picture_without_a_duration(tmp_path: Path) -> None:
    run = made(tmp_path, bars(1))
    found = run.finished.readback
    assert (found.frame_count, found.duration_seconds, found.loop_count) == (1, 0, 1)
    assert found.color_container.matrix == "bt709"
    seen = inspect(run.path, "avif")
    assert (seen.frame_count, seen.width, seen.height, seen.duration_seconds) == (1, 256, 144, 0)
    with Image.open(run.path) as image:
        assert (image.n_frames, image.size) == (1, (256, 144))


def test_ten_bits_stay_ten_bits(tmp_path: Path) -> None:
    deep = gradient_clip(3, 48, 64).astype(np.uint16) * 257
    run = made(tmp_path, deep, source_format=PixelFormat.RGB48LE)
    assert run.warnings == []
    assert run.finished.readback.pixel_format == "yuv420p10le"


def test_alpha_is_refused_by_name_or_flattened_with_a_warning(tmp_path: Path) -> None:
    clip = np.concatenate([bars(2), np.full((2, 144, 256, 1), 128, np.uint8)], axis=3)
    with pytest.raises(OutputError, match="av1 in avif cannot carry alpha") as caught:
        made(tmp_path / "kept", clip, source_format=PixelFormat.RGBA, alpha=AlphaMode.KEEP)
    assert caught.value.code == "ALPHA_UNSUPPORTED"
    run = made(tmp_path / "flat", clip, source_format=PixelFormat.RGBA)
    assert [code for code, _ in run.warnings] == ["ALPHA_FLATTENED"]


def test_progress_counts_packets_that_the_muxer_still_keeps(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 48, 64, 3), dtype=np.uint8)
    first = made(tmp_path / "first", noise, quality=Quality.DRAFT)
    (tmp_path / "second").mkdir()
    context = msgspec.structs.replace(first.context, directory=tmp_path / "second")
    writer = open_writer(context)
    try:
        for index in range(len(noise)):
            writer.write(context.source.frame(index))
        assert first.path.stat().st_size > writer.bytes_written > 10_000
    finally:
        writer.close()


def test_an_abandoned_encoder_is_freed_after_an_end_of_stream(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without one, SVT-AV1 complained on standard error, and at times waited in its destructor for ever."""
    first = made(tmp_path / "first", bars(12))
    (tmp_path / "second").mkdir()
    context = msgspec.structs.replace(first.context, directory=tmp_path / "second")
    writer = open_writer(context)
    for index in range(12):
        writer.write(context.source.frame(index))
    writer.close()
    del writer
    gc.collect()
    assert "without sending EOS" not in capfd.readouterr().err


def test_an_animation_can_be_read_as_a_source(tmp_path: Path) -> None:
    run = made(tmp_path, bars(4), frame_rate=Rational(10))
    assert sum(1 for _ in open_video(run.path).frames) == 4
