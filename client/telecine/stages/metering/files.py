"""Sizes and hashes of what a stage tracks: files, and directories as one thing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from telecine.stages.errors import StageFileMissingError, StageUsageError


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What measuring a file or a directory found."""

    size_bytes: int
    sha256: str | None
    """Null: not asked for."""
    file_count: int | None
    """Of a directory; None: a file."""
    stamp: tuple[int, ...]
    """Changes when the file does: size, time and inode. Of a directory: the same of all its files."""

    def facts(self) -> dict[str, Any]:
        """What a manifest's entry says of it, by the names of the fields."""
        return {"size_bytes": self.size_bytes, "sha256": self.sha256, "file_count": self.file_count}


def measure(path: Path, *, has_checksum: bool, max_files: int) -> Measured:
    """Looks at a file or directory, and hashes it where that is wanted.

    Raises:
        StageFileMissingError: it is not there, or somebody is writing to it.
        StageUsageError: it is neither file nor directory, or holds too many files.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return _measure_directory(path, has_checksum=has_checksum, max_files=max_files)
    if not path.exists():
        raise StageFileMissingError(f"{path} is not there")
    if not path.is_file():
        raise StageUsageError(f"{path} is neither a file nor a directory, and cannot be tracked")
    before = path.stat()
    sha256 = _sha256(path) if has_checksum else None
    if _stamp(path.stat()) != _stamp(before):
        raise StageFileMissingError(f"{path} was being written while it was tracked")
    return Measured(size_bytes=before.st_size, sha256=sha256, file_count=None, stamp=_stamp(before))


def stamp_of(path: Path, *, max_files: int) -> tuple[int, ...] | None:
    """The stamp without the cost of a hash; None: nothing is there."""
    try:
        return measure(path, has_checksum=False, max_files=max_files).stamp
    except StageFileMissingError:
        return None


def files_below(directory: Path, max_files: int) -> list[Path]:
    """Every file below a directory, sorted by path. Raises StageUsageError where they are too many."""
    found = []
    for path in directory.rglob("*"):
        if path.is_file() or path.is_symlink():
            found.append(path)
            if len(found) > max_files:
                raise StageUsageError(f"{directory} holds more than {max_files} files")
    return sorted(found, key=lambda path: path.relative_to(directory).as_posix())


def _measure_directory(path: Path, *, has_checksum: bool, max_files: int) -> Measured:
    size_bytes = 0
    stamp: list[int] = []
    whole = hashlib.sha256()
    files = [file for file in files_below(path, max_files) if file.is_file()]
    for file in files:
        measured = measure(file, has_checksum=has_checksum, max_files=1)
        size_bytes += measured.size_bytes
        stamp += measured.stamp
        name = os.fsencode(file.relative_to(path).as_posix())
        whole.update((measured.sha256 or "").encode() + b"  " + name + b"\n")
    sha256 = whole.hexdigest() if has_checksum else None
    return Measured(size_bytes=size_bytes, sha256=sha256, file_count=len(files), stamp=tuple(stamp))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_size, status.st_mtime_ns, status.st_ino)
