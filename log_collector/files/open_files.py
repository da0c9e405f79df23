"""Files that are appended to: a bounded number open at a time, each undone to its size before a write."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, wait
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from telecine.durable_files import sync_directory

_APPENDING: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE: Final = 0o640
_SHARES: Final = 8
"""So many files are written and synced side by side, so that the file system can join its commits."""
_MAX_PIECES: Final = 1000
"""Of one writev; Linux takes 1,024."""

_T = TypeVar("_T")


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A file as it is before a write."""

    file: str
    """Relative to the directory."""
    inode: int
    """0: there was none."""
    size: int


class BlockedFileError(Exception):
    """Something stands in a file's place, or in that of its directory, that is none: a link, a directory …"""


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

    @property
    def count(self) -> int:
        """Files that are open."""
        return len(self._handles)

    def mark(self, file: str) -> tuple[Mark, float]:
        """The file as it is now, even if it was renamed or truncated meanwhile, and when it was last written.

        Raises BlockedFileError, OSError.
        """
        path = self._root / file
        try:
            status = path.lstat()
        except FileNotFoundError:
            self.forget(file)
            self._require_plain_directories(path.parent, file)
            return Mark(file, 0, 0), 0.0
        except NotADirectoryError as error:
            raise BlockedFileError(file) from error
        if not stat.S_ISREG(status.st_mode):
            raise BlockedFileError(file)
        if file not in self._handles:
            self._require_plain_directories(path.parent, file)
        handle = self._handles.get(file)
        if handle is not None and handle.inode != status.st_ino:
            self.forget(file)
        return Mark(file, status.st_ino, status.st_size), status.st_mtime

    def _require_plain_directories(self, directory: Path, file: str) -> None:
        while directory != self._root:
            try:
                if not stat.S_ISDIR(directory.lstat().st_mode):
                    raise BlockedFileError(file)
            except FileNotFoundError:
                pass
            except NotADirectoryError as error:
                raise BlockedFileError(file) from error
            directory = directory.parent

    def write(self, pieces: Mapping[str, Sequence[bytes]]) -> None:
        """Appends to each file what is its own, and makes all durable.

        Raises OSError, and then part of it may stand there.
        """
        if len(pieces) > self._limit:
            # Not all can be open at once: one after the other, and synced by their names.
            for file, parts in pieces.items():
                _append(self._handle(file).fd, parts)
            shares = [[*pieces][first::_SHARES] for first in range(_SHARES)]
            self._do_all(self._sync_paths, shares if self._syncing is not None else [])
        else:
            opened = [(self._handle(file).fd, parts) for file, parts in pieces.items()]
            # Side by side: the kernel copies, and the disk works on one file, while the next is being copied.
            opened.sort(key=lambda one: sum(map(len, one[1])), reverse=True)
            self._do_all(self._write_share, [opened[first::_SHARES] for first in range(_SHARES)])
        if self._syncing is not None:
            for directory in self._made:
                sync_directory(directory)
        self._made.clear()

    def _do_all(self, do: Callable[[list[_T]], None], shares: Sequence[list[_T]]) -> None:
        given = [share for share in shares if share]
        if self._syncing is None or len(given) == 1:
            for share in given:
                do(share)
            return
        # All of them end before any failure is raised: nobody writes to a file that is being undone.
        running = [self._syncing.submit(do, share) for share in given]
        wait(running)
        for future in running:
            future.result()

    def _write_share(self, share: list[tuple[int, Sequence[bytes]]]) -> None:
        for fd, parts in share:
            _append(fd, parts)
        if self._syncing is not None:
            for fd, _ in share:
                os.fdatasync(fd)

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
            for directory in reversed(path.relative_to(self._root).parents):
                (self._root / directory).mkdir(exist_ok=True, mode=0o750)
                self._made.add(self._root / directory)
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


def _append(fd: int, parts: Sequence[bytes]) -> None:
    for first in range(0, len(parts), _MAX_PIECES):
        some = parts[first : first + _MAX_PIECES]
        written = os.writev(fd, some)
        if written == sum(map(len, some)):
            continue
        rest = memoryview(b"".join(some))[written:]
        while rest:
            written = os.write(fd, rest)
            if not written:
                raise OSError("the disk took nothing")
            rest = rest[written:]
