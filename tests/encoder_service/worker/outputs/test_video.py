"""Video streams: another FFmpeg finds in the file what was asked for, and the frames that were sent."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import (
    AlphaMode,
    Color,
    ColorMatrix,
    ColorOverride,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
    OddSizePolicy,
    PixelFormat,
    Quality,
    Rational,
    Scale,
    ScaleMode,
)
from encoder_service.worker.containers.isobmff import read_movie_facts
from tests.encoder_service.worker.outputs.drawing import Clip, gradient_clip
from tests.encoder_service.worker.outputs.streams import FILM, NTSC, StreamRun, run_stream, spec_of

BT709_TAGS = ColorTags("bt709", "bt709", "bt709", "tv")
ROWS = [
    ("mp4", "h264", "yuv420p"),
    ("mp4", "hevc", "yuv420p"),
    ("mp4", "av1", "yuv420p"),
    ("webm", "vp9", "yuv420p"),
    ("webm", "av1", "yuv420p"),
    ("mov", "prores", "yuv422p10le"),
    ("mov", "h264", "yuv420p"),
    ("mkv", "ffv1", "bgr0"),
    ("mkv", "h264", "yuv420p"),
    ("mkv", "hevc", "yuv420p"),
    ("mkv", "vp9", "yuv420p"),
]


def decoded_by_another_ffmpeg(
    path: Path, pixel_format: str = "rgb24", *options: str
) -> npt.NDArray[np.uint8]:
    """Decodes with imageio-ffmpeg's binary, which is another build than the one that encoded."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *options, "-i", str(path)]
    command += ["-vf", f"scale=in_range=auto:flags=accurate_rnd,format={pixel_format}"]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8)


def bars_clip(frames: int = 5, rows: int = 64, columns: int = 128) -> Clip:
    """Saturated bars, wide enough that chroma subsampling touches none of their middles."""
    bars = np.array(
        [
            [255, 0, 0],
            [0, 255, 0],
            [0, 0, 255],
            [255, 255, 0],
            [0, 255, 255],
            [255, 0, 255],
            [255] * 3,
            [0] * 3,
        ],
        np.uint8,
    )
    row = bars[np.arange(columns) * len(bars) // columns]
    return np.repeat(np.repeat(row[None, None], rows, 1), frames, 0)


def middles(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The middle column of each of eight bars, in every row and frame."""
    width = pixels.shape[2]
    return pixels[:, :, width // 16 :: width // 8].astype(int)


@pytest.mark.parametrize(("container", "codec", "pixel_format"), ROWS)
def test_every_codec_brings_back_colour_bars_with_all_tags(
    tmp_path: Path, container: str, codec: str, pixel_format: str
) -> None:
    clip = bars_clip()
    run = run_clip(tmp_path, clip, rate=NTSC, format=container, codec=codec)
    readback = run.finished.readback
    assert (run.finished.frames_encoded, run.finished.frames_decoded, readback.frame_count) == (5, 5, 5)
    assert readback.pixel_format == pixel_format
    assert readback.frame_rate == NTSC
    assert readback.is_faststart is (True if container in {"mp4", "mov"} else None)
    shown = decoded_by_another_ffmpeg(run.path).reshape(clip.shape)
    assert np.abs(middles(shown) - middles(clip)).max() <= 6
    quality = run.finished.quality
    assert quality is not None
    assert quality.mean_absolute_error < 6, "only at the edges of the bars"
    if codec != "ffv1":
        assert readback.color_container.matrix == "bt709"
        assert (readback.color_container.primaries, readback.color_container.transfer) == ("bt709", "bt709")


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_tags_stand_in_the_bitstream_and_in_the_container(tmp_path: Path, codec: str) -> None:
    run = run_clip(tmp_path, gradient_clip(3, 64, 64), format="mp4", codec=codec)
    assert run.finished.readback.color_bitstream == BT709_TAGS
    assert run.finished.readback.color_container == BT709_TAGS
    assert read_movie_facts(run.path).color == BT709_TAGS
    annex_b = tmp_path / "bitstream.obu"
    copy = ["-c", "copy", "-f", "obu" if codec == "av1" else codec, str(annex_b)]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(run.path), *copy], check=True)
    told = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(annex_b)], capture_output=True, text=True
    ).stderr
    assert "tv, bt709" in told, "the bare bitstream states its colour too"


def test_declared_colour_is_converted_not_only_tagged(tmp_path: Path) -> None:
    """Frames in BT.601 come out as BT.709: the numbers change, what is shown does not."""
    flat = np.concatenate([np.full(64 * 64, 81), np.full(32 * 32, 90), np.full(32 * 32, 240)])
    clip = np.broadcast_to(flat.astype(np.uint8), (3, 6144))
    smpte = Color(ColorPrimaries.BT709, ColorTransfer.SMPTE170M, ColorMatrix.SMPTE170M, ColorRange.LIMITED)
    run = run_stream(tmp_path, spec_of(64, 64, PixelFormat.YUV420P, color=smpte), clip, format="mp4")
    coded = decoded_by_another_ffmpeg(run.path, "yuv420p").reshape(3, -1)[0]
    assert abs(int(coded[0]) - 63) <= 2, "red has another luma in BT.709"
    red = decoded_by_another_ffmpeg(run.path).reshape(3, 64, 64, 3)[0, 32, 32]
    assert red[0] >= 248
    assert max(red[1:]) < 6


def run_clip(
    directory: Path,
    clip: Clip,
    source: PixelFormat = PixelFormat.RGB24,
    *,
    rate: Rational = FILM,
    video: dict[str, Any] | None = None,
    **output: Any,
) -> StreamRun:
    """Runs a writer over an array of shape (frames, rows, columns, channels)."""
    spec = spec_of(clip.shape[2], clip.shape[1], source, frame_rate=rate, **(video or {}))
    return run_stream(directory, spec, clip, **output)


def test_frames_in_the_target_format_reach_the_encoder_untouched(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(16, 236, (4, 64 * 48 * 3 // 2), np.uint8)
    run = run_stream(
        tmp_path, spec_of(64, 48, PixelFormat.YUV420P), frames, format="mp4", quality=Quality.LOSSLESS
    )
    assert np.array_equal(decoded_by_another_ffmpeg(run.path, "yuv420p").reshape(4, -1), frames)
    assert any("read in place" in line for line in run.logged)


@pytest.mark.parametrize("rate", [NTSC, Rational(30000, 1001), Rational(12, 5), Rational(16), Rational(1000)])
def test_frame_rates_are_exact_to_the_last_frame(tmp_path: Path, rate: Rational) -> None:
    exact = Fraction(rate.numerator, rate.denominator)
    run = run_clip(tmp_path, gradient_clip(7), rate=rate, format="mp4")
    facts = read_movie_facts(run.path)
    assert facts.frame_durations == (1 / exact,), "every frame lasts the same, the last one too"
    assert facts.frame_count == 7
    assert run.finished.readback.duration_seconds == pytest.approx(float(7 / exact), abs=1e-9)
    assert ffprobed(run.path)["avg_frame_rate"] == f"{exact.numerator}/{exact.denominator}"


def test_webm_keeps_the_frame_rate_though_it_counts_milliseconds(tmp_path: Path) -> None:
    run = run_clip(tmp_path, gradient_clip(24), rate=NTSC, format="webm")
    assert run.finished.readback.frame_rate == NTSC
    assert run.finished.readback.duration_seconds == pytest.approx(24 * 1001 / 24000, abs=0.002)


def ffprobed(path: Path) -> dict[str, str]:
    """The stream's facts as FFmpeg's own demuxer tells them, through PyAV where there is no ffprobe."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = Fraction(stream.average_rate or 0)
        return {
            "avg_frame_rate": f"{rate.numerator}/{rate.denominator}",
            "codec_tag": stream.codec_context.codec_tag,
            "metadata": json.dumps(container.metadata | stream.metadata),
        }


def test_the_output_may_play_the_frames_at_another_rate(tmp_path: Path) -> None:
    run = run_clip(tmp_path, gradient_clip(6), format="mp4", frame_rate=NTSC)
    assert run.finished.readback.frame_rate == NTSC
    assert run.finished.readback.frame_count == 6


def test_hevc_is_tagged_as_players_want_it(tmp_path: Path) -> None:
    run = run_clip(tmp_path, gradient_clip(3, 64, 64), format="mp4", codec="hevc")
    assert read_movie_facts(run.path).codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("policy", "size", "code"),
    [(OddSizePolicy.PAD, (34, 50), "ODD_SIZE_PADDED"), (OddSizePolicy.CROP, (32, 48), "ODD_SIZE_CROPPED")],
)
@pytest.mark.parametrize("source", [PixelFormat.RGB24, PixelFormat.YUV420P])
def test_odd_sizes_are_padded_or_cropped_and_that_is_reported(
    tmp_path: Path, policy: OddSizePolicy, size: tuple[int, int], code: str, source: PixelFormat
) -> None:
    frames = np.full((2, source.frame_bytes(49, 33)), 120, np.uint8)
    video = spec_of(49, 33, source, odd_size_policy=policy)
    run = run_stream(tmp_path, video, frames, format="mp4", strict=True)
    assert (run.finished.readback.height, run.finished.readback.width) == size
    assert run.warnings == [code], "allowed by the caller, so no strict error"


def test_odd_sizes_are_an_error_where_the_caller_wants_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="49") as caught:
        run_clip(
            tmp_path,
            gradient_clip(2, 33, 49),
            video={"odd_size_policy": OddSizePolicy.ERROR},
            format="mp4",
        )
    assert caught.value.code == "ODD_SIZE"


def test_padding_repeats_the_last_column_and_row(tmp_path: Path) -> None:
    clip = gradient_clip(2, 33, 49)
    run = run_clip(tmp_path, clip, format="mp4", quality=Quality.LOSSLESS, pixel_format="yuv444p")
    assert run.finished.readback.width == 49, "4:4:4 takes any size"
    run = run_clip(tmp_path, clip, format="mkv", codec="h264")
    shown = decoded_by_another_ffmpeg(run.path).reshape(2, 34, 50, 3).astype(int)
    assert np.abs(shown[:, :, 49] - shown[:, :, 48]).mean() < 12


@pytest.mark.parametrize(
    ("scale", "size"),
    [
        (Scale(width=24), (24, 16)),
        (Scale(height=64), (96, 64)),
        (Scale(30, 30), (30, 20)),
        (Scale(30, 30, ScaleMode.STRETCH), (30, 30)),
    ],
)
def test_scaling_fits_or_stretches(tmp_path: Path, scale: Scale, size: tuple[int, int]) -> None:
    run = run_clip(tmp_path, gradient_clip(3, 32, 48), format="mp4", scale=scale, strict=True)
    assert (run.finished.readback.width, run.finished.readback.height) == size
    assert run.finished.quality is not None
    assert run.finished.quality.mean_absolute_error < 12


def alpha_clip(frames: int = 4, rows: int = 64, columns: int = 64, deep: bool = False) -> Clip:
    clip = gradient_clip(frames, rows, columns, channels=4).copy()
    clip[..., 3] = np.linspace(0, 255, columns).astype(np.uint8)[None, None, :]
    return clip.astype("<u2") * 257 if deep else clip


@pytest.mark.parametrize(
    ("container", "codec", "source"),
    [
        ("webm", "vp9", PixelFormat.RGBA),
        ("mkv", "vp9", PixelFormat.RGBA),
        ("mov", "prores", PixelFormat.RGBA),
        ("mov", "prores", PixelFormat.RGBA64LE),
        ("mkv", "ffv1", PixelFormat.RGBA),
        ("mkv", "ffv1", PixelFormat.RGBA64LE),
    ],
)
def test_alpha_is_kept_where_the_format_can(
    tmp_path: Path, container: str, codec: str, source: PixelFormat
) -> None:
    clip = alpha_clip(deep=source is PixelFormat.RGBA64LE)
    run = run_clip(tmp_path, clip, source, format=container, codec=codec, alpha=AlphaMode.KEEP)
    assert run.finished.readback.has_alpha
    assert not run.warnings
    decoder = ["-c:v", "libvpx-vp9"] if codec == "vp9" else []
    shown = decoded_by_another_ffmpeg(run.path, "rgba", *decoder).reshape(*clip.shape[:3], 4)
    expected = clip[..., 3] if clip.dtype == np.uint8 else clip[..., 3] >> 8
    assert np.abs(shown[..., 3].astype(int) - expected).max() <= 6


def test_alpha_is_flattened_over_the_background_with_a_warning(tmp_path: Path) -> None:
    clip = alpha_clip()
    clip[..., :3] = 0
    clip[..., 3] = 128
    run = run_clip(tmp_path, clip, PixelFormat.RGBA, format="mp4", background="#ff0000")
    assert run.warnings == ["ALPHA_FLATTENED"]
    assert not run.finished.readback.has_alpha
    pixel = decoded_by_another_ffmpeg(run.path).reshape(4, 64, 64, 3)[1, 30, 30].astype(int)
    assert np.abs(pixel - [127, 0, 0]).max() <= 4


def test_alpha_that_must_be_kept_fails_a_format_without(tmp_path: Path) -> None:
    for options, code in (
        ({"alpha": AlphaMode.KEEP}, "ALPHA_UNSUPPORTED"),
        ({"strict": True}, "ALPHA_FLATTENED"),
    ):
        with pytest.raises(OutputError) as caught:
            run_clip(tmp_path, alpha_clip(), PixelFormat.RGBA, format="mp4", **options)
        assert caught.value.code == code


LOSSLESS = [
    ("mkv", "ffv1", PixelFormat.RGB24, "rgb24"),
    ("mkv", "ffv1", PixelFormat.RGB48LE, "rgb48le"),
    ("mkv", "ffv1", PixelFormat.RGBA, "rgba"),
    ("mkv", "ffv1", PixelFormat.RGBA64LE, "rgba64le"),
    ("mkv", "ffv1", PixelFormat.GRAY8, "gray"),
    ("mkv", "ffv1", PixelFormat.GRAY16LE, "gray16le"),
    ("mp4", "h264", PixelFormat.RGB24, "rgb24"),
    ("mp4", "h264", PixelFormat.GRAY8, "gray"),
    ("mp4", "hevc", PixelFormat.RGB24, "rgb24"),
    ("webm", "vp9", PixelFormat.RGB24, "rgb24"),
]


@pytest.mark.parametrize(("container", "codec", "source", "pixel_format"), LOSSLESS)
def test_lossless_brings_back_every_sample(
    tmp_path: Path, container: str, codec: str, source: PixelFormat, pixel_format: str
) -> None:
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (3, source.frame_bytes(64, 48)), np.uint8)
    run = run_stream(
        tmp_path,
        spec_of(64, 48, source),
        frames,
        format=container,
        codec=codec,
        quality=Quality.LOSSLESS,
        strict=True,
    )
    assert np.array_equal(decoded_by_another_ffmpeg(run.path, pixel_format).reshape(3, -1), frames)
    assert run.finished.quality is not None
    assert (run.finished.quality.max_absolute_error, run.finished.quality.psnr_db) == (0, None)


@pytest.mark.parametrize(
    "source",
    [PixelFormat.YUV420P, PixelFormat.NV12, PixelFormat.YUV444P, PixelFormat.P010LE, PixelFormat.YUV420P10LE],
)
def test_yuv_of_any_layout_is_lossless_in_ffv1(tmp_path: Path, source: PixelFormat) -> None:
    rng = np.random.default_rng(4)
    samples = rng.integers(64, 940, source.frame_bytes(64, 48) // 2 * 3)
    if source.bits == 10:
        shift = 6 if source is PixelFormat.P010LE else 0
        frames = (samples << shift).astype("<u2").view(np.uint8)[: 3 * source.frame_bytes(64, 48)]
    else:
        frames = (samples[:1].repeat(1) * 0 + rng.integers(16, 236, 3 * source.frame_bytes(64, 48))).astype(
            np.uint8
        )
    frames = frames.reshape(3, -1)
    run = run_stream(tmp_path, spec_of(64, 48, source), frames, format="mkv", strict=True)
    assert np.array_equal(decoded_by_another_ffmpeg(run.path, source.value).reshape(3, -1), frames)


def test_lossless_that_cannot_be_exact_is_reported(tmp_path: Path) -> None:
    run = run_clip(tmp_path, gradient_clip(2), format="mov", quality=Quality.LOSSLESS)
    assert run.warnings == ["LOSSLESS_NOT_EXACT"]


@pytest.mark.parametrize(
    ("container", "codec", "pixel_format"),
    [("mp4", "hevc", "yuv420p10le"), ("mp4", "av1", "yuv420p10le"), ("mov", "prores", "yuv422p10le")],
)
def test_deep_frames_keep_ten_bits_where_the_codec_can(
    tmp_path: Path, container: str, codec: str, pixel_format: str
) -> None:
    run = run_clip(
        tmp_path,
        gradient_clip(3, 64, 64, deep=True),
        PixelFormat.RGB48LE,
        format=container,
        codec=codec,
        strict=True,
    )
    assert run.finished.readback.pixel_format == pixel_format


def test_deep_frames_in_eight_bits_are_a_fallback_unless_asked_for(tmp_path: Path) -> None:
    clip = gradient_clip(2, deep=True)
    run = run_clip(tmp_path, clip, PixelFormat.RGB48LE, format="mp4")
    assert run.warnings == ["BIT_DEPTH_REDUCED"]
    run = run_clip(tmp_path, clip, PixelFormat.RGB48LE, format="mp4", pixel_format="yuv420p", strict=True)
    assert not run.warnings


def test_hdr_stays_hdr(tmp_path: Path) -> None:
    pq = Color(ColorPrimaries.BT2020, ColorTransfer.SMPTE2084, ColorMatrix.RGB, ColorRange.FULL)
    run = run_clip(
        tmp_path,
        gradient_clip(3, 64, 64, deep=True),
        PixelFormat.RGB48LE,
        video={"color": pq},
        format="mp4",
        codec="hevc",
        strict=True,
    )
    assert run.finished.readback.color_bitstream == ColorTags("bt2020", "smpte2084", "bt2020nc", "tv")


def test_the_transfer_tag_is_the_callers_choice(tmp_path: Path) -> None:
    run = run_clip(
        tmp_path,
        gradient_clip(2),
        format="mp4",
        color=ColorOverride(transfer=ColorTransfer.IEC61966_2_1, range=ColorRange.FULL),
    )
    expected = ColorTags("bt709", "iec61966-2-1", "bt709", "pc")
    assert run.finished.readback.color_container == expected
    assert run.finished.readback.color_bitstream == expected


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "h264"), ("webm", "vp9"), ("mkv", "ffv1"), ("mov", "prores")]
)
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, container: str, codec: str) -> None:
    hashes = set()
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        run = run_clip(tmp_path / attempt, gradient_clip(5), format=container, codec=codec)
        hashes.add(run.finished.files[0].sha256)
    assert len(hashes) == 1


def test_crf_preset_and_options_override_quality(tmp_path: Path) -> None:
    run = run_clip(
        tmp_path,
        gradient_clip(3),
        format="mp4",
        quality=Quality.DRAFT,
        crf=30,
        preset="ultrafast",
        options={"crf": "31", "g": "1"},
    )
    options = run.finished.encoder.options
    assert {name: options[name] for name in ("crf", "preset", "g")} == {
        "crf": "31",
        "preset": "ultrafast",
        "g": "1",
    }


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"options": {"no_such_option": "1"}}, "no_such_option"),
        ({"options": {"x264-params": "no-such-parameter=1"}}, "no-such-parameter"),
        ({"preset": "no_such_preset"}, "no_such_preset"),
        ({"crf": 99.0}, "99"),
    ],
)
def test_settings_that_the_encoder_does_not_know_are_named(
    tmp_path: Path, wrong: dict[str, Any], names: str
) -> None:
    with pytest.raises(OutputError, match=names) as caught:
        run_clip(tmp_path, gradient_clip(2), format="mp4", **wrong)
    assert caught.value.code == "INVALID_OPTION"


def test_wrong_pixel_formats_and_codecs_are_named(tmp_path: Path) -> None:
    for wrong, code in (
        ({"pixel_format": "yuv422p12le"}, "INVALID_PIXEL_FORMAT"),
        ({"pixel_format": "nonsense"}, "INVALID_PIXEL_FORMAT"),
        ({"codec": "vp9"}, "UNKNOWN_CODEC"),
        ({"color": ColorOverride(primaries=ColorPrimaries.BT2020)}, "COLOR_CONVERSION_UNSUPPORTED"),
        ({"background": "red", "alpha": AlphaMode.FLATTEN}, "INVALID_BACKGROUND"),
    ):
        with pytest.raises(OutputError) as caught:
            run_clip(tmp_path, gradient_clip(2), **({"format": "mp4"} | wrong))
        assert caught.value.code == code


def test_files_carry_no_date(tmp_path: Path) -> None:
    for container in ("mp4", "webm", "mkv", "mov"):
        run = run_clip(tmp_path, gradient_clip(2), format=container)
        assert "date" not in ffprobed(run.path)["metadata"]
        assert "creation_time" not in ffprobed(run.path)["metadata"]


def test_the_number_of_threads_never_changes_a_vp9_stream(tmp_path: Path) -> None:
    # Wide enough for two columns of tiles, which is what threads share.
    clip = gradient_clip(6, 256, 512)
    files = []
    for threads in (1, 2, 4):
        directory = tmp_path / str(threads)
        directory.mkdir()
        run = run_stream(directory, spec_of(512, 256), clip, threads=threads, format="webm", codec="vp9")
        files.append(run.path.read_bytes())
    assert files[0] == files[1] == files[2]
