"""A data directory is a service's only with its marker; what it does not know it leaves alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service_host.disk.data_directory import (
    LOCK,
    MARKER,
    DataDirectory,
    is_plain_directory,
    is_plain_file,
    open_data_directory,
)
from service_host.errors import StartError


def never(_path: Path) -> bool:
    return False


def opened(path: Path, kind: str = "collector") -> DataDirectory:
    return open_data_directory(path, kind, never)


def tree(path: Path) -> dict[str, bytes | None]:
    return {
        found.relative_to(path).as_posix(): found.read_bytes() if found.is_file() else None
        for found in sorted(path.rglob("*"))
    }


def test_a_new_directory_is_marked_and_closed_to_others(tmp_path: Path) -> None:
    opened(tmp_path / "a" / "data").close()
    assert (tmp_path / "a" / "data").stat().st_mode & 0o077 == 0
    assert (tmp_path / "a" / "data" / MARKER).stat().st_mode & 0o077 == 0
    opened(tmp_path / "a" / "data").close()


def test_an_empty_directory_is_taken_also_where_the_disk_has_put_something(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    opened(tmp_path).close()
    assert is_plain_file(tmp_path / MARKER)


@pytest.mark.parametrize(
    "name", ["artifacts/model.bin", "journal/mail", "logs/app.log", "x", ".env", "lock", "jobs/nightly.yaml"]
)
def test_a_directory_with_other_contents_is_refused_and_stays_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"theirs")
    before = tree(tmp_path)
    with pytest.raises(StartError, match=r"not empty and was not made by a telecine collector"):
        opened(tmp_path)
    assert tree(tmp_path) == before


def test_the_directory_of_another_service_is_refused(tmp_path: Path) -> None:
    opened(tmp_path, "encoder").close()
    with pytest.raises(StartError, match="that of a telecine encoder"):
        opened(tmp_path)


def test_a_directory_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text('{"kind":"collector","format":99}')
    with pytest.raises(StartError, match="newer version"):
        opened(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 20, b"{", b"[1]"])
def test_a_damaged_marker_makes_a_foreign_directory_no_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARKER).write_bytes(content)
    (tmp_path / "theirs").write_bytes(b"x")
    with pytest.raises(StartError, match="not empty"):
        opened(tmp_path)
    (tmp_path / "theirs").unlink()
    opened(tmp_path).close()


@pytest.mark.parametrize("name", [MARKER, LOCK])
def test_a_link_where_the_marker_or_the_lock_belongs_is_not_followed(tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).symlink_to(target)
    with pytest.raises(StartError):
        open_data_directory(tmp_path / "data", "collector", lambda _path: True)
    assert target.read_bytes() == b"theirs"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def test_a_second_service_is_refused_also_after_the_lock_file_was_removed(tmp_path: Path) -> None:
    first = opened(tmp_path)
    code = (
        "from pathlib import Path; from service_host.disk.data_directory import open_data_directory as o;"
        f"o(Path({str(tmp_path)!r}), 'collector', lambda p: False)"
    )
    for _ in range(2):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "in use by another collector" in second.stderr
        _remove(tmp_path / LOCK)
    first.close()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_directory_that_is_removed_or_replaced_is_not_there_any_more(tmp_path: Path) -> None:
    directory = opened(tmp_path / "data")
    assert directory.is_there()
    (tmp_path / "data").rename(tmp_path / "aside")
    assert not directory.is_there()
    (tmp_path / "data").mkdir()
    assert not directory.is_there()
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "aside").rename(tmp_path / "data")
    assert directory.is_there()
    (tmp_path / "data" / MARKER).unlink()
    assert not directory.is_there()
    directory.close()
    directory.close()


def test_a_link_is_no_plain_file_or_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "to-file").symlink_to(tmp_path / "file")
    (tmp_path / "to-directory").symlink_to(tmp_path)
    assert is_plain_file(tmp_path / "file")
    assert not is_plain_file(tmp_path / "to-file")
    assert is_plain_directory(tmp_path)
    assert not is_plain_directory(tmp_path / "to-directory")
    assert not is_plain_file(tmp_path / "absent")
