"""Animated WebP: Pillow, which did not write it, sees what was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from encoder_service.spec.errors import OutputError, StrictViolationError
from encoder_service.spec.spec import AlphaMode, Color, PixelFormat, Quality, Rational, Scale
from encoder_service.spec.spec import ColorMatrix as Matrix
from encoder_service.spec.spec import ColorPrimaries as Primaries
from encoder_service.spec.spec import ColorRange as Range
from encoder_service.spec.spec import ColorTransfer as Transfer
from encoder_service.worker.containers.webp import read_frames, read_head
from encoder_service.worker.images.webp_frame import decode_frame
from tests.encoder_service.worker.outputs.drawing import Run, gradient_clip, run_writer, still_clip


def shown(run: Run, mode: str = "RGB") -> npt.NDArray[np.uint8]:
    with Image.open(run.path) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert(mode)))
    return np.stack(frames)


def durations(run: Run) -> list[int]:
    with run.path.open("rb") as file:
        read_head(file)
        return [entry.placement.duration_milliseconds for entry in read_frames(file)]


@pytest.mark.parametrize(("rows", "columns"), [(32, 48), (37, 51), (1, 1), (8, 200)])
def test_every_frame_is_there_and_close_to_what_was_sent(tmp_path: Path, rows: int, columns: int) -> None:
    clip = gradient_clip(11, rows, columns)
    run = run_writer(tmp_path, clip, format="webp", loop_count=3)
    pictures = shown(run)
    assert pictures.shape == clip.shape
    finished = run.finished
    assert finished.frames_encoded == finished.frames_decoded == finished.readback.frame_count == 11
    assert finished.readback.loop_count == 3
    assert (finished.readback.width, finished.readback.height) == (columns, rows)
    assert not finished.readback.has_alpha
    assert finished.quality is not None
    assert finished.quality.mean_absolute_error < 12
    assert finished.files[0].size_bytes == run.path.stat().st_size
    assert finished.files[0].path == "clip.webp"


@pytest.mark.parametrize("clip", [gradient_clip(20), still_clip(40)], ids=["moving", "still"])
def test_lossless_is_exact_in_every_frame(tmp_path: Path, clip: npt.NDArray[np.uint8]) -> None:
    run = run_writer(tmp_path, clip, format="webp", quality=Quality.LOSSLESS)
    assert np.array_equal(shown(run), clip)
    assert run.finished.quality is not None
    assert run.finished.quality.psnr_db is None


def test_what_stands_still_costs_little_and_never_drifts(tmp_path: Path) -> None:
    clip = still_clip(40, 64, 96)
    (tmp_path / "reuse").mkdir()
    (tmp_path / "whole").mkdir()
    reuse = run_writer(tmp_path / "reuse", clip, format="webp", options={"quality": "80"})
    whole = run_writer(tmp_path / "whole", clip, format="webp", options={"quality": "80", "kmax": "1"})
    assert reuse.finished.files[0].size_bytes < 0.7 * whole.finished.files[0].size_bytes
    error = np.abs(shown(reuse).astype(int) - clip).mean(axis=(1, 2, 3))
    plain = np.abs(shown(whole).astype(int) - clip).mean(axis=(1, 2, 3))
    assert (error < plain + 1).all()


def test_what_a_mask_hides_is_flat_and_what_it_shows_stays_sharp(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    clip = np.stack([noise, noise])
    clip[1, 8:16, 8:24] = 255
    clip[1, 80:, 72:96] = 0
    run = run_writer(tmp_path, clip, format="webp", options={"quality": "80"})
    with run.path.open("rb") as file:
        read_head(file)
        _, changed = read_frames(file)
    place = changed.placement
    assert (place.x, place.y, place.width, place.height, place.is_blended) == (8, 8, 88, 88, True)
    pixels = decode_frame(changed.still, place.width, place.height)
    expected = np.zeros((88, 88), bool)
    expected[:8, :16] = expected[72:, 64:] = True
    assert np.array_equal(pixels[..., 3] == 255, expected)
    assert np.array_equal(pixels[..., 3] == 0, ~expected)
    # Nothing of the noise below the mask is coded.
    assert pixels[16:72, :, :3].astype(int).std(axis=1).max() < 12
    pictures = shown(run).astype(int)
    assert pictures[1, 8:16, 8:24].mean() > 245
    assert pictures[1, 80:, 72:96].mean() < 10
    untouched = np.ones((96, 128), bool)
    untouched[8:16, 8:24] = untouched[80:, 72:96] = False
    assert np.array_equal(pictures[1][untouched], pictures[0][untouched])


def test_equal_frames_stay_frames(tmp_path: Path) -> None:
    clip = np.repeat(gradient_clip(1), 30, axis=0)
    run = run_writer(tmp_path, clip, format="webp", quality=Quality.LOSSLESS)
    assert np.array_equal(shown(run), clip)
    assert run.finished.readback.frame_count == 30
    assert run.finished.readback.duration_seconds == 30 / 24


def test_alpha_is_kept_exactly_where_the_source_has_it(tmp_path: Path) -> None:
    clip = gradient_clip(9, channels=4)
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="webp")
    assert np.array_equal(shown(run, "RGBA")[..., 3], clip[..., 3])
    assert run.finished.readback.has_alpha


def test_lossless_with_alpha_is_exact_where_something_is_seen(tmp_path: Path) -> None:
    clip = gradient_clip(9, channels=4)
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="webp", quality=Quality.LOSSLESS)
    pictures = shown(run, "RGBA")
    assert np.array_equal(pictures[..., 3], clip[..., 3])
    seen = clip[..., 3] > 0
    assert np.array_equal(pictures[seen], clip[seen])


def test_a_small_change_in_a_transparent_clip_is_exact_too(tmp_path: Path) -> None:
    clip = np.zeros((8, 32, 48, 4), np.uint8)
    for index in range(8):
        clip[index, 5:20, 3 * index : 3 * index + 9] = (200, 30 * index, 10, 255 - 20 * index)
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="webp", quality=Quality.LOSSLESS)
    pictures = shown(run, "RGBA")
    seen = clip[..., 3] > 0
    assert np.array_equal(pictures[..., 3], clip[..., 3])
    assert np.array_equal(pictures[seen], clip[seen])


def test_an_opaque_alpha_channel_costs_nothing(tmp_path: Path) -> None:
    clip = gradient_clip(4, channels=4)
    clip[..., 3] = 255
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="webp")
    assert not run.finished.readback.has_alpha
    assert b"ALPH" not in run.path.read_bytes()


def test_alpha_is_flattened_when_asked(tmp_path: Path) -> None:
    clip = gradient_clip(3, channels=4)
    clip[..., 3] = 0
    run = run_writer(
        tmp_path, clip, PixelFormat.RGBA, format="webp", alpha=AlphaMode.FLATTEN, background="#ff0000"
    )
    assert np.abs(shown(run)[0, 0, 0].astype(int) - (255, 0, 0)).max() < 12
    assert run.warnings == []


def test_film_rate_keeps_its_total_duration(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(48, 8, 8), frame_rate=Rational(24000, 1001), format="webp")
    assert durations(run)[:6] == [42, 41, 42, 42, 42, 41]
    assert run.finished.readback.duration_seconds == 2.002


def test_another_rate_plays_the_same_frames(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(5, 8, 8), format="webp", frame_rate=Rational(10))
    assert run.finished.readback.frame_rate == Rational(10)
    assert run.finished.readback.frame_count == 5


def test_a_scaled_output_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(3, 40, 80), format="webp", scale=Scale(width=40))
    assert shown(run).shape == (3, 20, 40, 3)
    assert run.finished.quality is not None


def test_frames_in_yuv_come_out_in_their_colours(tmp_path: Path) -> None:
    bt709 = Color(Primaries.BT709, Transfer.BT709, Matrix.BT709, Range.LIMITED)
    luma, blue, red = 63, 102, 240
    frame = np.concatenate([np.full(32 * 16, luma), np.full(8 * 16, blue), np.full(8 * 16, red)])
    clip = frame.astype(np.uint8).reshape(1, 16, -1)
    run = run_writer(
        tmp_path,
        _Shaped(clip, 16, 32),
        PixelFormat.YUV420P,
        video={"color": bt709},
        format="webp",
    )
    assert np.abs(shown(run)[0, 8, 8].astype(int) - (255, 0, 0)).max() <= 4


class _Shaped:
    """Raw frames that pretend to have the shape of their picture."""

    def __init__(self, clip: npt.NDArray[np.uint8], rows: int, columns: int) -> None:
        self._clip = clip
        self.shape = (len(clip), rows, columns)

    def __len__(self) -> int:
        return len(self._clip)

    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]:
        return self._clip[index]


def test_options_win_over_crf_and_preset_and_are_reported_exactly(tmp_path: Path) -> None:
    run = run_writer(
        tmp_path, gradient_clip(2), format="webp", crf=40, preset="2", options={"method": "0", "kmax": "9"}
    )
    assert run.finished.encoder.options == {
        "quality": "40",
        "compression_level": "0",
        "lossless": "0",
        "kmax": "9",
    }
    assert run.finished.encoder.encoder == "libwebp"
    assert "libavcodec" in run.finished.encoder.library_versions


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"options": {"sharpness": "3"}}, "INVALID_OPTION", "sharpness"),
        ({"options": {"quality": "101"}}, "INVALID_OPTION", "0 to 100"),
        ({"preset": "fast"}, "INVALID_OPTION", "0 to 6"),
        ({"loop_count": 65536}, "UNSUPPORTED_SIZE", "65535"),
        ({"pixel_format": "yuv420p"}, "INVALID_PIXEL_FORMAT", "rgb24, rgba"),
    ],
)
def test_what_webp_cannot_do_is_one_clear_error(
    tmp_path: Path, changes: dict[str, object], code: str, reason: str
) -> None:
    with pytest.raises(OutputError, match=reason) as caught:
        run_writer(tmp_path, gradient_clip(2), **({"format": "webp"} | changes))
    assert caught.value.code == code


def test_more_than_8_bits_and_wide_colour_are_warned_of_and_refused_when_strict(tmp_path: Path) -> None:
    clip = gradient_clip(2, deep=True)
    wide = {"color": Color(Primaries.BT2020, Transfer.SMPTE2084, Matrix.RGB, Range.FULL)}
    run = run_writer(tmp_path, clip, PixelFormat.RGB48LE, video=wide, format="webp")
    assert [code for code, _ in run.warnings] == ["BIT_DEPTH_REDUCED", "COLOR_NOT_TAGGED"]
    with pytest.raises(StrictViolationError, match="strict"):
        run_writer(tmp_path, clip, PixelFormat.RGB48LE, video=wide, format="webp", strict=True)


def test_frames_too_short_for_browsers_are_warned_of(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(2, 8, 8), frame_rate=Rational(120), format="webp")
    assert [code for code, _ in run.warnings] == ["FRAME_DURATION_TOO_SHORT"]


def test_the_number_of_threads_never_changes_the_artifact(tmp_path: Path) -> None:
    clip, files = still_clip(14), []
    for threads in (1, 2, 5):
        directory = tmp_path / str(threads)
        directory.mkdir()
        files.append(run_writer(directory, clip, threads=threads, format="webp").path.read_bytes())
    assert files[0] == files[1] == files[2]


def test_a_file_that_is_damaged_before_it_is_read_back_is_no_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from encoder_service.worker.outputs import webp

    def damaged(*arguments: object) -> object:
        data = bytearray((tmp_path / "clip.webp").read_bytes())
        data[-20] ^= 0xFF
        (tmp_path / "clip.webp").write_bytes(data)
        return read_back(*arguments)

    read_back = webp.read_back
    monkeypatch.setattr(webp, "read_back", damaged)
    with pytest.raises(OutputError, match="frame 4 is not the one") as caught:
        run_writer(tmp_path, gradient_clip(5), format="webp")
    assert caught.value.is_retryable
