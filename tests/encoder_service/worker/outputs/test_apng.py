"""APNG: exact in every frame, exact in time, and read alike by Pillow."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import PixelFormat, Rational
from encoder_service.worker.containers.apng import ApngFrame, read_apng
from encoder_service.worker.containers.png import PngError
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer, still_clip


def shown(path: Path, mode: str) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        frames = []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert(mode)))
    return np.stack(frames)


@pytest.mark.parametrize("clip", [gradient_clip(9, 33, 47), still_clip(40)], ids=["moving", "still"])
def test_every_frame_is_exact(tmp_path: Path, clip: npt.NDArray[np.uint8]) -> None:
    run = run_writer(tmp_path, clip, format="apng", loop_count=2)
    assert np.array_equal(shown(run.path, "RGB"), clip)
    with Image.open(run.path) as image:
        assert (image.is_animated, image.info["loop"]) == (True, 2)
    finished = run.finished
    assert finished.frames_encoded == finished.frames_decoded == len(clip)
    assert finished.readback.loop_count == 2
    assert finished.readback.color_container.transfer == "iec61966-2-1"
    assert finished.quality is not None
    assert finished.quality.max_absolute_error == 0


def test_alpha_is_exact_and_equal_frames_stay_frames(tmp_path: Path) -> None:
    clip = np.repeat(gradient_clip(2, channels=4), 3, axis=0)
    run = run_writer(tmp_path, clip, PixelFormat.RGBA, format="apng")
    assert np.array_equal(shown(run.path, "RGBA"), clip)
    assert run.finished.readback.has_alpha
    assert run.finished.readback.frame_count == 6


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    clip = gradient_clip(4, deep=True) + np.arange(4, dtype="<u2")[:, None, None, None]
    run = run_writer(tmp_path, clip, PixelFormat.RGB48LE, format="apng")
    assert run.finished.readback.pixel_format == "rgb48be"
    assert run.finished.quality is not None
    assert run.finished.quality.psnr_db is None


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [(Rational(24000, 1001), Fraction(10 * 1001, 24000)), (Rational(100_003, 5000), Fraction(500, 1000))],
)
def test_time_is_exact_or_off_by_less_than_a_millisecond(
    tmp_path: Path, rate: Rational, seconds: Fraction
) -> None:
    run = run_writer(tmp_path, gradient_clip(10, 8, 8), frame_rate=rate, format="apng")
    with run.path.open("rb") as file:
        frames = [entry.control for entry in read_apng(file) if isinstance(entry, ApngFrame)]
    total = sum(Fraction(frame.delay_numerator, frame.delay_denominator) for frame in frames)
    assert total == seconds
    assert run.finished.readback.duration_seconds == float(seconds)


def test_a_damaged_file_is_found_out(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(3), format="apng")
    data = bytearray(run.path.read_bytes())
    data[-30] ^= 1
    run.path.write_bytes(data)
    with run.path.open("rb") as file, pytest.raises(PngError, match="CRC"):
        list(read_apng(file))


def test_too_many_loops_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="plays 0 to"):
        run_writer(tmp_path, gradient_clip(1), format="apng", loop_count=1 << 31)
