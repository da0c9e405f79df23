"""Padding: no codec and no conversion reads memory that is not there, whatever frames measure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from encoder_service.spec.spec import PixelFormat
from encoder_service.worker.libav.padding import PADDING_BYTES, PaddedMemory, padded
from tests.encoder_service.worker.libav.guarded_frames import Guarded

ROOT = Path(__file__).parents[4]


def survives(proof: str, pixel_format: PixelFormat) -> None:
    module = "tests.encoder_service.worker.libav.guarded_frames"
    command = [sys.executable, "-m", module, proof, str(pixel_format)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_conversions_of_any_size_read_no_unmapped_page(pixel_format: PixelFormat) -> None:
    survives("conversions", pixel_format)


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_the_last_frame_of_a_spool_can_be_read_past_its_end(pixel_format: PixelFormat) -> None:
    survives("spooled", pixel_format)


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_writers_read_no_unmapped_page(pixel_format: PixelFormat) -> None:
    survives("written", pixel_format)


def test_a_plane_with_room_behind_it_is_used_in_place() -> None:
    plane = np.asarray(Guarded(bytes(5000), PADDING_BYTES))
    assert padded(plane) is plane


def test_a_plane_that_ends_its_page_is_copied() -> None:
    data = np.random.default_rng(0).bytes(3 * 5 * 300)
    plane = np.asarray(Guarded(data, 0)).reshape(5, 300, 3)
    for part in (plane, plane[1:, 8:], plane[:, ::-1]):
        copy = padded(part)
        assert not np.shares_memory(copy, part)
        assert np.array_equal(copy, part)
    assert padded(plane[:-1]) is not None


def test_a_piece_of_a_file_is_mapped_with_room_and_unmapped_with_its_last_view(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = np.random.default_rng(0).bytes(1 << 20)
    path.write_bytes(data)
    file = os.open(path, os.O_RDONLY)
    try:
        views = [PaddedMemory(file, at, (1 << 20) - at).view() for at in (0, 1, 4096, 5000, (1 << 20) - 1)]
    finally:
        os.close(file)
    assert [bytes(view) for view in views] == [data[len(data) - len(view) :] for view in views]
    assert all(view.readonly for view in views)
    plane = np.frombuffer(views[0], np.uint8)
    assert padded(plane) is plane
    assert str(path) in Path("/proc/self/maps").read_text()
    del views, plane
    assert str(path) not in Path("/proc/self/maps").read_text()


def test_a_file_that_cannot_be_mapped_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(10))
    with (tmp_path / "file").open("wb") as file, pytest.raises(OSError, match="Permission denied"):
        PaddedMemory(file.fileno(), 0, 10)
