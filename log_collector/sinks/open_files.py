"""Files that are appended to: a bounded number open at a time, each undone to its size before a write."""

from __future__ import annotations

import os
from collections import OrderedDict
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

import msgspec

_APPENDING: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
_MODE: Final = 0o640
_FEW_FILES: Final = 4
_SHARES: Final = 8
"""Files are synced side by side, so that the file system can join its commits."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A file as it is before a write."""

    file: str
    """Relative to the directory."""
    inode: int
    """0: there was none."""
    size: int


class _Handle(msgspec.Struct):
    fd: int
    inode: int


class OpenFiles:
    """Belongs to one thread. Owns its descriptors; `close` releases them and is idempotent."""

    def __init__(self, root: Path, limit: int, syncing: Executor | None) -> None:
        """`syncing`: where files are made durable beside one another; None: not at all."""
        self._root = root
        self._limit = limit
        self._syncing = syncing
        self._handles: OrderedDict[str, _Handle] = OrderedDict()
        self._made: set[Path] = set()

    def mark(self, file: str) -> tuple[Mark, float]:
        """The file as it is now, whoever renamed or truncated it meanwhile, and when it was last written.

        Raises OSError.
        """
        path = self._root / file
        try:
            status = path.stat()
        except FileNotFoundError:
            self.forget(file)
            return Mark(file, 0, 0), 0.0
        handle = self._handles.get(file)
        if handle is not None and handle.inode != status.st_ino:
            self.forget(file)
        return Mark(file, status.st_ino, status.st_size), status.st_mtime

    def append(self, file: str, data: bytes) -> None:
        """Appends all of it. Raises OSError, and then part of it may stand there."""
        fd = self._handle(file).fd
        view = memoryview(data)
        while view:
            written = os.write(fd, view)
            if not written:
                raise OSError("the disk took nothing")
            view = view[written:]

    def sync(self, files: list[str]) -> None:
        """Makes durable what was appended to these. Raises OSError."""
        if self._syncing is None:
            self._made.clear()
            return
        if len(files) <= _FEW_FILES:
            for file in files:
                os.fdatasync(self._handle(file).fd)
        else:
            shares = [files[first::_SHARES] for first in range(min(_SHARES, len(files)))]
            list(self._syncing.map(self._sync_paths, shares))
        for directory in self._made:
            sync_directory(directory)
        self._made.clear()

    def undo(self, marks: list[Mark]) -> None:
        """Cuts every file back to its mark, under whatever name it stands now. Raises OSError."""
        self.close()
        for mark in marks:
            path = self._root / mark.file
            if not mark.inode:
                path.unlink(missing_ok=True)
                continue
            found = self._find(path, mark.inode)
            if found is not None and found.stat().st_size > mark.size:
                with found.open("r+b") as file:
                    file.truncate(mark.size)
                    os.fsync(file.fileno())

    def forget(self, file: str) -> None:
        """Closes one file."""
        handle = self._handles.pop(file, None)
        if handle is not None:
            os.close(handle.fd)

    def close(self) -> None:
        """Closes all."""
        while self._handles:
            os.close(self._handles.popitem()[1].fd)

    def _handle(self, file: str) -> _Handle:
        handle = self._handles.get(file)
        if handle is not None:
            self._handles.move_to_end(file)
            return handle
        path = self._root / file
        try:
            fd = os.open(path, _APPENDING)
        except FileNotFoundError:
            fd = self._make(path)
        handle = self._handles[file] = _Handle(fd, os.fstat(fd).st_ino)
        if len(self._handles) > self._limit:
            _, oldest = self._handles.popitem(last=False)
            os.close(oldest.fd)
        return handle

    def _make(self, path: Path) -> int:
        flags = _APPENDING | os.O_CREAT
        try:
            fd = os.open(path, flags, _MODE)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent.parent)
            fd = os.open(path, flags, _MODE)
        self._made.add(path.parent)
        return fd

    def _sync_paths(self, files: list[str]) -> None:
        for file in files:
            # By its name: the descriptor may be closed by now, and belongs to another thread.
            fd = os.open(f"{self._root}/{file}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)

    @staticmethod
    def _find(path: Path, inode: int) -> Path | None:
        """The file of this inode: there, or renamed beside it."""
        try:
            if path.stat().st_ino == inode:
                return path
        except FileNotFoundError:
            pass
        beside = path.parent.glob(f"{path.name}*") if path.parent.is_dir() else ()
        return next((p for p in beside if p.stat().st_ino == inode), None)


def sync_directory(directory: Path) -> None:
    """Makes the names in a directory durable. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
