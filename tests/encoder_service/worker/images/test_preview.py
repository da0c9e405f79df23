"""A preview shows what a poster of the same frame shows, whatever the frames are made of."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoder_service.data_layout import checksums_path
from encoder_service.evidence.facts import Failed
from encoder_service.spec.spec import (
    Color,
    ColorMatrix,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
    PixelFormat,
    Rational,
    VideoSpec,
)
from encoder_service.spool.spool import Spool
from encoder_service.worker.images.preview import draw_preview, preview_size
from encoder_service.worker.process.source import SpoolSource
from encoder_service.worker_protocol import MAX_PREVIEW_BYTES, DrawPreview, Pictured, PreviewFormat
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer

FILM = Rational(24)
BT601_LIMITED = Color(
    ColorPrimaries.SMPTE170M, ColorTransfer.SMPTE170M, ColorMatrix.SMPTE170M, ColorRange.LIMITED
)
BT2020 = Color(ColorPrimaries.BT2020, ColorTransfer.BT709, ColorMatrix.BT2020NC, ColorRange.FULL)


@pytest.fixture(autouse=True)
def own_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker lowers its priority for good; these run in the tests' own process."""
    monkeypatch.setattr(os, "nice", lambda _by: 0)


def spool_of(directory: Path, video: VideoSpec, frames: int) -> tuple[Path, list[bytes]]:
    """A spool of smooth frames that differ from one another, with its checksums."""
    count = video.frame_bytes // (2 if video.pixel_format.bits > 8 else 1)
    made = []
    for frame in range(frames):
        ramp = (np.arange(count) / count * 150 + 40 + 15 * frame).astype(np.uint8)
        wide = ramp.astype("<u2") << (2 if video.pixel_format is PixelFormat.YUV420P10LE else 8)
        made.append((wide if video.pixel_format.bits > 8 else ramp).tobytes())
    spool = Spool(directory / "frames", is_new=True)
    for data in made:
        spool.append([data])
    spool.close()
    return spool.path, made


def drawn(path: Path, video: VideoSpec, frame: int, side: int, kind: PreviewFormat) -> np.ndarray:
    answer = draw_preview(DrawPreview(video, str(path), frame, side, kind))
    assert isinstance(answer, Pictured), answer
    assert answer.image.startswith(kind.beginning)
    with Image.open(io.BytesIO(answer.image)) as image:
        assert image.size == (answer.width, answer.height)
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("color", [None, BT601_LIMITED, BT2020], ids=["usual", "bt601", "bt2020"])
@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_every_pixel_format_looks_as_its_poster(
    tmp_path: Path, pixel_format: PixelFormat, color: Color | None
) -> None:
    given = {} if color is None or pixel_format.is_rgb else {"color": color}
    video = VideoSpec(90, 61, pixel_format, FILM, **given)
    path, _ = spool_of(tmp_path, video, 3)
    with SpoolSource(path, video.frame_bytes) as source:
        source.extend(3)
        poster = run_writer(
            tmp_path / "poster", np.empty((3, 61, 90)), pixel_format, FILM, dict(given),
            source=source, format="poster", frame_index=1, crf=95.0,
        )  # fmt: skip
    with Image.open(poster.path) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    for kind in PreviewFormat:
        found = drawn(path, video, 1, 640, kind)
        assert np.abs(found - expected).mean() < 4, kind
        assert np.abs(found.mean((0, 1)) - expected.mean((0, 1))).max() < 3, kind


@pytest.mark.parametrize(
    ("size", "side", "reached"),
    [
        ((64, 48), 640, (64, 48)), ((1920, 1080), 640, (640, 360)), ((1080, 1920), 64, (36, 64)),
        ((16384, 1), 64, (64, 1)), ((1, 16384), 1280, (1, 1280)), ((1281, 1280), 1280, (1280, 1279)),
    ],
)  # fmt: skip
def test_the_longer_side_is_bounded_and_nothing_is_made_larger(
    size: tuple[int, int], side: int, reached: tuple[int, int], tmp_path: Path
) -> None:
    video = VideoSpec(*size, PixelFormat.GRAY8, FILM)
    assert preview_size(video, side) == reached
    path, _ = spool_of(tmp_path, video, 1)
    for kind in PreviewFormat:
        assert drawn(path, video, 0, side, kind).shape[:2] == reached[::-1]


def test_noise_and_a_huge_frame_stay_within_the_bound_on_bytes(tmp_path: Path) -> None:
    video = VideoSpec(6000, 6000, PixelFormat.RGBA, FILM)
    noise = np.random.default_rng(7).integers(0, 255, (1280, 1280, 3), np.uint8)
    path = tmp_path / "frames"
    path.write_bytes(bytes(video.frame_bytes))
    assert drawn(path, video, 0, 1280, PreviewFormat.WEBP).max() == 0
    path.write_bytes(noise.tobytes())
    for kind in PreviewFormat:
        order = DrawPreview(VideoSpec(1280, 1280, PixelFormat.RGB24, FILM), str(path), 0, 1280, kind)
        answer = draw_preview(order)
        assert isinstance(answer, Pictured)
        assert len(answer.image) <= MAX_PREVIEW_BYTES


def test_damage_is_found_in_the_frame_that_is_shown_and_nowhere_else(tmp_path: Path) -> None:
    video = VideoSpec(64, 48, PixelFormat.RGB24, FILM)
    path, frames = spool_of(tmp_path, video, 4)
    with path.open("r+b") as file:
        file.seek(2 * video.frame_bytes + 5)
        file.write(b"\x00\xff\x00")
    for frame in (0, 1, 3):
        drawn(path, video, frame, 64, PreviewFormat.JPEG)
    damaged = draw_preview(DrawPreview(video, str(path), 2, 64, PreviewFormat.JPEG))
    assert isinstance(damaged, Failed)
    assert damaged.code == "SPOOL_DAMAGED"
    os.truncate(path, len(frames[0]) * 2)
    cut = draw_preview(DrawPreview(video, str(path), 3, 64, PreviewFormat.JPEG))
    assert isinstance(cut, Failed)
    assert cut.code == "SPOOL_DAMAGED"
    path.unlink()
    checksums_path(path).unlink()
    gone = draw_preview(DrawPreview(video, str(path), 0, 64, PreviewFormat.JPEG))
    assert isinstance(gone, Failed)
    assert gone.code == "IO_ERROR"


def test_a_frame_is_found_again_in_a_clip(tmp_path: Path) -> None:
    clip = gradient_clip(9, 48, 64)
    spool = Spool(tmp_path / "frames", is_new=True)
    whole = clip.tobytes()
    for start in range(0, len(whole), 5000):  # pieces that begin and end inside frames
        spool.append([whole[start : start + 5000]])
    spool.close()
    video = VideoSpec(64, 48, PixelFormat.RGB24, FILM)
    for frame in (8, 0, 5):
        assert np.abs(drawn(spool.path, video, frame, 64, PreviewFormat.JPEG) - clip[frame]).mean() < 8
