"""What a worker takes of the disk is counted wherever it lies, and no further than the bounds."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from encoder_service.pool.disk_usage import DiskUsage, measure

MIB = 1 << 20


@contextmanager
def process(*held: int) -> Iterator[int]:
    """The id of a process that holds nothing but these descriptors."""
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, pass_fds=held)
    with child:
        yield child.pid


def measured(directory: Path, *held: int, max_bytes: int = 0, max_files: int = 100) -> DiskUsage:
    with process(*held) as pid:
        return measure(directory, pid, max_bytes, max_files)


def test_files_below_count_with_the_room_that_they_take(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").write_bytes(bytes(MIB))
    (tmp_path / "clip.mp4").write_bytes(bytes(MIB))
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    found = measured(tmp_path)
    assert found.files == 4
    assert 2 * MIB <= found.used_bytes < 3 * MIB
    assert found.excess(3 * MIB, 4) == ""
    assert "max_output_bytes" in found.excess(MIB, 4)
    assert "more than 3 files" in found.excess(0, 3)


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "all").symlink_to("/")
    assert measured(tmp_path).files == 1


def test_a_deleted_file_that_is_held_open_counts(tmp_path: Path) -> None:
    with (tmp_path / "gone").open("wb") as file:
        (tmp_path / "gone").unlink()
        file.write(bytes(MIB))
        file.flush()
        assert measured(tmp_path, file.fileno()).used_bytes >= MIB
    assert measured(tmp_path) == DiskUsage()


def test_directories_deeper_than_any_output_makes_them_are_too_many_files(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * 12)).mkdir(parents=True)
    assert measured(tmp_path).excess(0, 100)


def test_counting_stops_where_a_bound_is_exceeded(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}").touch()
    assert measured(tmp_path, max_files=10).files == 11


def test_a_directory_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert measured(tmp_path / "none") == DiskUsage()
