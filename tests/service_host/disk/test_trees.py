"""Directories are removed however deep, wide or closed they are, and nothing that lies beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service_host.disk.plain_files import remove_tree

_LEVELS = 3000
_CLOSED = """
import os, sys
from pathlib import Path
from service_host.disk.plain_files import remove_tree
top = Path(sys.argv[1])
if os.geteuid() == 0:
    os.chown(top.parent, 65534, 65534)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for mode in (0o000, 0o300, 0o500):
    inner = top / f"{mode:o}" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_bytes(b"x")
    inner.chmod(mode)
    inner.parent.chmod(mode)
remove_tree(top)
print(list(top.parent.iterdir()))
"""


def _dig(top: Path, levels: int) -> None:
    """Makes a directory in a directory in a directory: deeper than any path can say."""
    top.mkdir()
    at = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=at))
    os.close(at)


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_depth_is_too_much_and_no_descriptor_is_left(tmp_path: Path) -> None:
    top = tmp_path / "top"
    _dig(top, _LEVELS)
    before = _open_files()
    remove_tree(top)
    assert list(tmp_path.iterdir()) == []
    assert _open_files() == before


def test_names_that_the_removal_gives_may_be_there_already(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for name in (".removing.1", "a/.removing.1/x", "a/.removing.2/y", "b/c/.removing.1"):
        (top / name).mkdir(parents=True)
        (top / name / "file").write_bytes(b"x")
    (top / ".removing.2").write_bytes(b"x")
    remove_tree(top)
    assert list(tmp_path.iterdir()) == []


def test_what_links_lead_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o500)
    (tmp_path / "file").write_bytes(b"kept")
    top = tmp_path / "top" / "inner"
    top.mkdir(parents=True)
    for place in (top, top.parent):
        (place / "directory").symlink_to(kept)
        (place / "file").symlink_to(tmp_path / "file")
    remove_tree(tmp_path / "top")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "kept"]
    assert (tmp_path / "file").read_bytes() == b"kept"
    assert kept.stat().st_mode & 0o777 == 0o500


def test_closed_directories_of_ones_own_are_opened(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", _CLOSED, str(place / "top")], capture_output=True, text=True, timeout=60
    )
    if "Permission" in done.stderr and "service_host" not in done.stderr:
        pytest.skip("another user cannot reach the directory of tests")
    assert done.stdout.strip() == "[]", done.stderr


def test_a_directory_that_is_not_there_is_removed_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")
