"""Poster: the very frame that was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoder_service.spec.errors import OutputError, StrictViolationError
from encoder_service.spec.spec import PixelFormat, Quality, Scale
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer


@pytest.mark.parametrize(("frame_index", "shown"), [(0, 0), (3, 3), (6, 6), (-1, 6), (-7, 0)])
def test_a_png_poster_is_that_frame_exactly(tmp_path: Path, frame_index: int, shown: int) -> None:
    clip = gradient_clip(7)
    run = run_writer(tmp_path, clip, format="poster", codec="png", frame_index=frame_index)
    assert run.path.name == "clip.png"
    with Image.open(run.path) as image:
        assert np.array_equal(np.asarray(image), clip[shown])
    finished = run.finished
    assert (finished.frames_encoded, finished.frames_decoded, finished.readback.frame_count) == (1, 1, 1)
    assert finished.quality is not None
    assert finished.quality.sampled_frames == (shown,)


def test_a_jpeg_poster_is_close_and_can_be_scaled(tmp_path: Path) -> None:
    clip = gradient_clip(2, 40, 60)
    run = run_writer(tmp_path, clip, format="poster", scale=Scale(width=30), crf=95.0)
    with Image.open(run.path) as image:
        assert (image.format, image.size) == ("JPEG", (30, 20))
    assert run.finished.files[0].media_type == "image/jpeg"
    assert run.finished.encoder.options == {"quality": "95"}
    assert run.finished.quality is not None
    assert run.finished.quality.mean_absolute_error < 10


@pytest.mark.parametrize("frame_index", [7, 100, -8])
def test_a_frame_that_is_not_there_is_one_clear_error(tmp_path: Path, frame_index: int) -> None:
    with pytest.raises(OutputError, match="expected -7 to 6") as caught:
        run_writer(tmp_path, gradient_clip(7), format="poster", frame_index=frame_index)
    assert caught.value.code == "INVALID_FRAME_INDEX"


def test_alpha_is_kept_by_png_and_flattened_by_jpeg_with_a_warning(tmp_path: Path) -> None:
    clip = gradient_clip(1, channels=4)
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="poster", codec="png", name="a")
    assert run.finished.readback.has_alpha
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="poster", codec="jpeg", name="b")
    assert [code for code, _ in run.warnings] == ["ALPHA_FLATTENED"]
    with pytest.raises(StrictViolationError):
        run_writer(tmp_path, clip, PixelFormat.RGBA, format="poster", strict=True, name="c")
    with pytest.raises(OutputError, match="choose alpha flatten"):
        run_writer(tmp_path, clip, PixelFormat.RGBA, format="poster", alpha="keep", name="d")


def test_sixteen_bit_posters_are_kept_by_png(tmp_path: Path) -> None:
    clip = gradient_clip(1, deep=True)
    run = run_writer(tmp_path, clip, PixelFormat.RGB48LE, format="poster", codec="png")
    assert run.finished.readback.pixel_format == "rgb48be"


def test_a_lossless_jpeg_is_warned_of(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(1), format="poster", quality=Quality.LOSSLESS)
    assert [code for code, _ in run.warnings] == ["LOSSLESS_NOT_EXACT"]
