"""Contact sheet: the frames stand where the layout says, each over its label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoder_service.spec.errors import OutputError
from encoder_service.spec.sheet_layout import plan_sheet
from encoder_service.spec.spec import PixelFormat
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer


def test_each_tile_shows_its_frame_over_a_label(tmp_path: Path) -> None:
    clip = gradient_clip(30, 48, 96)
    run = run_writer(tmp_path, clip, format="contact_sheet", columns=3, rows=2)
    layout = plan_sheet(30, (96, 48), 3, 2)
    with Image.open(run.path) as image:
        assert image.format == "PNG"
        sheet = np.asarray(image)
    assert sheet.shape == (layout.height, layout.width, 3)
    for tile, frame in enumerate(layout.frames):
        x, y = layout.corner(tile)
        assert np.array_equal(sheet[y : y + 48, x : x + 96], clip[frame])
        text = sheet[y + 48 : y + 48 + layout.label_height, x : x + 96]
        assert text.max() > 150
    assert run.finished.frames_encoded == run.finished.frames_decoded == 1


def test_large_frames_are_made_smaller_and_jpeg_is_possible(tmp_path: Path) -> None:
    clip = gradient_clip(9, 400, 900)
    run = run_writer(tmp_path, clip, format="contact_sheet", codec="jpeg")
    with Image.open(run.path) as image:
        assert image.format == "JPEG"
        assert image.width <= 1920
    assert run.path.suffix == ".jpg"


def test_a_clip_of_one_small_frame_is_enough(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(1, 5, 7), format="contact_sheet")
    assert run.finished.readback.width == 7 + 16


def test_alpha_is_flattened_with_a_warning_and_cannot_be_kept(tmp_path: Path) -> None:
    clip = gradient_clip(2, channels=4)
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="contact_sheet")
    assert [code for code, _ in run.warnings] == ["ALPHA_FLATTENED"]
    with pytest.raises(OutputError, match="choose alpha flatten"):
        run_writer(tmp_path, clip, PixelFormat.RGBA, format="contact_sheet", alpha="keep")


def test_an_impossible_grid_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="at most 400") as caught:
        run_writer(tmp_path, gradient_clip(500, 2, 2), format="contact_sheet", columns=100, rows=100)
    assert caught.value.code == "INVALID_GRID"
