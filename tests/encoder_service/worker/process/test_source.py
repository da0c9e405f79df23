"""The source: frames come out of a growing file without copies, and only those that have arrived."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoder_service.worker.process.source import SpoolSource


def test_any_frame_of_any_size_is_read_in_any_order(tmp_path: Path) -> None:
    for frame_bytes in (1, 4095, 4096, 4097, 100_003):
        data = np.random.default_rng(frame_bytes).bytes(frame_bytes * 5)
        path = tmp_path / "video.raw"
        path.write_bytes(data)
        with SpoolSource(path, frame_bytes) as source:
            source.extend(5)
            for index in (4, 0, 2, 2, 1, 3):
                frame = source.frame(index)
                assert frame.index == index
                assert frame.data == data[index * frame_bytes : (index + 1) * frame_bytes]


def test_frames_that_have_not_arrived_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "video.raw"
    path.write_bytes(b"abcdef")
    with SpoolSource(path, 2) as source:
        with pytest.raises(IndexError):
            source.frame(0)
        source.extend(2)
        assert bytes(source.frame(1).data) == b"cd"
        source.extend(1)
        assert bytes(source.frame(1).data) == b"cd", "an extent only grows"
        for index in (2, -1):
            with pytest.raises(IndexError):
                source.frame(index)


def test_a_held_frame_outlives_the_source_and_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "video.raw"
    path.write_bytes(b"abcdef")
    with SpoolSource(path, 3) as source:
        source.extend(2)
        frame = source.frame(1)
    source.close()
    path.unlink()
    assert bytes(frame.data) == b"def"
    assert frame.data.readonly
