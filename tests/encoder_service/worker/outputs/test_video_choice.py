"""Which encoder is taken, and what happens when it is not there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from encoder_service.spec.encoders import AV1_ENCODERS, H264_ENCODERS
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FORMATS, FormatRow
from encoder_service.spec.spec import OutputSpec, PixelFormat, Quality
from encoder_service.worker.video.plan import candidates, resolve_options
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.encoder_service.worker.outputs.streams import run_stream, spec_of

MP4 = FORMATS["mp4"]
SVT, AOM = (next(row for row in AV1_ENCODERS if row.encoder == name) for name in ("libsvtav1", "libaom-av1"))
X264 = H264_ENCODERS[0]


def with_missing_encoder_first() -> FormatRow:
    return msgspec.structs.replace(MP4, encoders=(AOM, SVT))


def test_a_missing_encoder_falls_back_to_the_next_with_a_warning(tmp_path: Path) -> None:
    clip = gradient_clip(2, 64, 64)
    run = run_stream(
        tmp_path, spec_of(64, 64), clip, row=with_missing_encoder_first(), format="mp4", codec="av1"
    )
    assert run.finished.encoder.encoder == "libsvtav1"
    assert run.warnings == ["ENCODER_FALLBACK"]


def test_strict_takes_no_other_encoder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="libaom-av1") as caught:
        run_stream(
            tmp_path,
            spec_of(64, 64),
            gradient_clip(2, 64, 64),
            row=with_missing_encoder_first(),
            format="mp4",
            codec="av1",
            strict=True,
        )
    assert caught.value.code == "ENCODER_UNAVAILABLE"


def test_no_encoder_at_all_says_why_for_each(tmp_path: Path) -> None:
    absent = next(row for row in H264_ENCODERS if row.encoder == "libopenh264")
    other = msgspec.structs.replace(AOM, codec="h264")
    row = msgspec.structs.replace(MP4, encoders=(absent, other))
    with pytest.raises(OutputError, match=r"libopenh264: .*libaom-av1: ") as caught:
        run_stream(tmp_path, spec_of(256, 144), gradient_clip(2, 144, 256), row=row, format="mp4")
    assert caught.value.code == "ENCODER_UNAVAILABLE"


def test_rgb_is_kept_as_rgb_only_where_that_is_wanted() -> None:
    video = spec_of(64, 64)
    names = [row.encoder for row in candidates(video, OutputSpec("a", "mp4"), MP4)]
    assert "libx264rgb" not in names
    lossless = candidates(video, OutputSpec("a", "mp4", quality=Quality.LOSSLESS), MP4)
    assert lossless[0].encoder == "libx264rgb"
    yuv = spec_of(64, 64, PixelFormat.YUV420P)
    assert candidates(yuv, OutputSpec("a", "mp4", quality=Quality.LOSSLESS), MP4)[0].encoder == "libx264"
    named = candidates(video, OutputSpec("a", "mp4", pixel_format="rgb24"), MP4)
    assert named[0].encoder == "libx264rgb"


def options(output: OutputSpec, *, threads: int = 2, cores: int = 2) -> dict[str, str]:
    row = next(row for row in MP4.encoders if row.codec == output.codec)
    return resolve_options(output, row, "yuv420p", keeps_alpha=False, threads=threads, cores=cores)


def test_later_settings_win_over_earlier_ones() -> None:
    output = OutputSpec("a", "mp4", codec="h264", quality=Quality.DRAFT)
    assert options(output) | X264.fixed_options == {
        "crf": "26",
        "preset": "veryfast",
        **X264.fixed_options,
    }
    louder = msgspec.structs.replace(output, crf=20.5, preset="slow", options={"tune": "film", "crf": "21"})
    found = options(louder)
    assert (found["crf"], found["preset"], found["tune"]) == ("21", "slow", "film")


def test_lists_of_parameters_are_joined_and_threads_are_limited() -> None:
    output = OutputSpec("a", "mp4", codec="hevc", options={"x265-params": "bframes=0"})
    assert options(output, threads=2, cores=8)["x265-params"] == "log-level=error:pools=2:bframes=0"
    assert "pools" not in options(output, threads=8, cores=8)["x265-params"]


def test_a_rate_factor_replaces_lossless() -> None:
    output = OutputSpec("a", "mp4", codec="h264", quality=Quality.LOSSLESS, crf=12)
    assert "qp" not in options(output)
    assert options(output)["crf"] == "12"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_single_frame_is_a_clip(tmp_path: Path, threads: int) -> None:
    for container in ("mp4", "webm", "mov", "mkv"):
        run = run_stream(
            tmp_path,
            spec_of(16, 16),
            np.full((1, 16, 16, 3), 77, np.uint8),
            threads=threads,
            format=container,
            name=container,
        )
        assert run.finished.readback.frame_count == 1
        assert run.finished.readback.duration_seconds == pytest.approx(1 / 24, abs=0.002)
