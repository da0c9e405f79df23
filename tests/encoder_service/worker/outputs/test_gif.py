"""GIF: all frames, the right time, and colours as close as 256 of them allow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from encoder_service.spec.errors import OutputError, StrictViolationError
from encoder_service.spec.spec import AlphaMode, PixelFormat, Quality, Rational
from encoder_service.worker.containers.gif import GifError, read_gif
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer, still_clip


def shown(path: Path, mode: str = "RGB") -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert(mode)))
    return np.stack(frames)


@pytest.mark.parametrize("clip", [gradient_clip(60, 33, 47), still_clip(30)], ids=["moving", "still"])
def test_every_frame_is_there_and_close(tmp_path: Path, clip: npt.NDArray[np.uint8]) -> None:
    run = run_writer(tmp_path, clip, format="gif")
    pictures = shown(run.path)
    assert pictures.shape == clip.shape
    assert np.abs(pictures.astype(int) - clip).mean() < 14
    finished = run.finished
    assert finished.frames_encoded == finished.frames_decoded == finished.readback.frame_count == len(clip)
    assert finished.quality is not None
    assert finished.quality.mean_absolute_error < 14


def test_equal_frames_stay_frames(tmp_path: Path) -> None:
    run = run_writer(tmp_path, np.repeat(gradient_clip(1), 8, axis=0), format="gif")
    assert run.finished.readback.frame_count == 8
    assert run.finished.readback.duration_seconds == 0.33


def test_few_colours_are_exact(tmp_path: Path) -> None:
    clip = np.zeros((5, 16, 16, 3), np.uint8)
    for index in range(5):
        clip[index, :, : 2 * index + 2] = (255, 50 * index, 9)
    run = run_writer(tmp_path, clip, format="gif", options={"dither": "none"})
    assert np.abs(shown(run.path).astype(int) - clip).max() <= 3


def test_centiseconds_do_not_add_up_to_a_wrong_duration(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(48, 8, 8), frame_rate=Rational(24000, 1001), format="gif")
    with run.path.open("rb") as file:
        assert read_gif(file).delays_centiseconds[:6] == (4, 4, 5, 4, 4, 4)
    assert run.finished.readback.duration_seconds == 2.0


@pytest.mark.parametrize("plays", [0, 1, 2, 10])
def test_it_is_played_as_often_as_was_asked(tmp_path: Path, plays: int) -> None:
    run = run_writer(tmp_path, gradient_clip(3, 8, 8), format="gif", loop_count=plays)
    assert run.finished.readback.loop_count == plays
    with Image.open(run.path) as image:
        assert image.info.get("loop") == {0: 0, 1: None, 2: 1, 10: 9}[plays]


def test_transparency_is_kept_as_far_as_gif_can(tmp_path: Path) -> None:
    clip = np.zeros((4, 16, 24, 4), np.uint8)
    for index in range(4):
        clip[index, 4:12, 3 * index : 3 * index + 8] = (200, 30, 60, 255)
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="gif")
    pictures = shown(run.path, "RGBA")
    assert np.array_equal(pictures[..., 3], clip[..., 3])
    assert run.finished.readback.has_alpha


def test_what_is_lost_is_warned_of(tmp_path: Path) -> None:
    run = run_writer(
        tmp_path, gradient_clip(2, 8, 8), frame_rate=Rational(60), format="gif", quality=Quality.LOSSLESS
    )
    assert [code for code, _ in run.warnings] == ["LOSSLESS_NOT_EXACT", "FRAME_DURATION_TOO_SHORT"]


def test_options_are_checked_and_reported(tmp_path: Path) -> None:
    run = run_writer(
        tmp_path, gradient_clip(2), format="gif", options={"dither": "bayer", "max_colors": "16"}
    )
    assert run.finished.encoder.options == {"max_colors": "16", "dither": "bayer", "bayer_scale": "2"}
    with Image.open(run.path) as image:
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) <= 16
    with pytest.raises(OutputError, match="2 to 256"):
        run_writer(tmp_path, gradient_clip(2), format="gif", options={"max_colors": "1"})
    with pytest.raises(OutputError, match="plays 0 to"):
        run_writer(tmp_path, gradient_clip(2), format="gif", loop_count=70_000)


def test_the_number_of_threads_never_changes_the_artifact(tmp_path: Path) -> None:
    clip, files = gradient_clip(60, 16, 16), []
    for threads in (1, 3):
        (tmp_path / str(threads)).mkdir()
        files.append(
            run_writer(tmp_path / str(threads), clip, threads=threads, format="gif").path.read_bytes()
        )
    assert files[0] == files[1]


@given(st.binary(max_size=80))
def test_noise_is_refused_and_never_crashes(noise: bytes) -> None:
    for data in (noise, b"GIF89a" + noise):
        try:
            read_gif(io.BytesIO(data))
        except GifError:
            pass


def soft_clip() -> npt.NDArray[np.uint8]:
    frames = np.full((2, 16, 256, 4), 200, np.uint8)
    frames[..., 3] = np.arange(256)
    return frames


def test_soft_alpha_is_made_hard_only_with_a_warning(tmp_path: Path) -> None:
    assert [
        code for code, _ in run_writer(tmp_path, soft_clip(), PixelFormat.RGBA, format="gif").warnings
    ] == ["ALPHA_REDUCED"]
    hard = soft_clip()
    hard[..., 3] = np.where(hard[..., 3] < 128, 0, 255)
    assert run_writer(tmp_path, hard, PixelFormat.RGBA, format="gif", alpha=AlphaMode.KEEP).warnings == []
    with pytest.raises(OutputError, match="there or not") as caught:
        run_writer(tmp_path, soft_clip(), PixelFormat.RGBA, format="gif", alpha=AlphaMode.KEEP)
    assert caught.value.code == "ALPHA_UNSUPPORTED"
    with pytest.raises(StrictViolationError) as caught:
        run_writer(tmp_path, soft_clip(), PixelFormat.RGBA, format="gif", strict=True)
    assert caught.value.code == "ALPHA_REDUCED"
