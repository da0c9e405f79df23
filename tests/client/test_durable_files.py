"""A file is replaced whole or not at all, whatever lies in its place and wherever the writer stops."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from telecine.durable_files import replacing, temporary_path, write_whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "f").write_bytes(b"old")
    return tmp_path / "f"


@pytest.mark.parametrize("is_synced", [True, False])
def test_the_new_file_takes_the_place_of_the_old_one(path: Path, is_synced: bool) -> None:
    write_whole(path, b"new", is_synced=is_synced)
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["f"]


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_a_writer_that_raises_leaves_the_old_file_and_nothing_else(
    path: Path, error: type[BaseException]
) -> None:
    def write_half() -> None:
        with replacing(path, is_synced=True) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["f"]


def test_what_a_killed_writer_left_is_replaced(path: Path) -> None:
    temporary_path(path).write_bytes(b"left by a kill, and longer than the new one")
    write_whole(path, b"new", is_synced=False)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("place", ["itself", "temporary"])
def test_a_link_is_replaced_and_what_it_leads_to_is_untouched(path: Path, place: str) -> None:
    outside = path.with_name("outside")
    outside.write_bytes(b"precious")
    link = path if place == "itself" else temporary_path(path)
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    write_whole(path, b"new", is_synced=True)
    assert (path.read_bytes(), outside.read_bytes()) == (b"new", b"precious")
    assert not path.is_symlink()


@pytest.mark.parametrize("place", ["itself", "temporary"])
def test_a_directory_in_the_way_is_an_error_and_stays(path: Path, place: str) -> None:
    blocked = path if place == "itself" else temporary_path(path)
    blocked.unlink(missing_ok=True)
    blocked.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(path, b"new", is_synced=True)
    assert blocked.is_dir()


def test_before_the_rename_the_new_file_is_complete_and_the_old_one_in_place(path: Path) -> None:
    seen: list[tuple[bytes, bytes]] = []
    write_whole(
        path, b"new", is_synced=True,
        before_rename=lambda: seen.append((path.read_bytes(), temporary_path(path).read_bytes())),
    )  # fmt: skip
    assert seen == [(b"old", b"new")]


def test_the_mode_is_what_was_asked_less_the_umask(path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(path, b"new", is_synced=False, mode=0o666)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
