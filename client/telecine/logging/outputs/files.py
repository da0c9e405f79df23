"""Writes records to a local file that several processes may share, and rotates it by size."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from telecine.logging.forked.descriptors import close_own, is_closed, open_high
from telecine.logging.forked.file_locks import give, take
from telecine.logging.outputs.rendering import Renderer

_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_LOOK_SECONDS = 1.0


class RotatingFile:
    """`name`, then `name.1` … `name.N`. A line is never cut: each is one write, and files are only renamed.

    What others do to the file (another process's rotation, logrotate, copytruncate) is noticed within
    a second; a descriptor that the program has closed (daemons close all that they do not know), at once.
    A full disk costs the record here, counted in `failures`, never the application, and no other record:
    of a line that has no room nothing is left.
    """

    def __init__(
        self,
        path: Path,
        render: Renderer,
        level: int,
        max_bytes: int,
        backups: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens the file.

        Raises:
            OSError: the file cannot be opened.
        """
        self.path = path
        self.level = level
        self.failures = 0
        self._render = render
        self._max_bytes = max_bytes
        self._backups = backups
        self._clock = clock
        self._lock = threading.RLock()
        self._is_busy = False
        self._looked_at = clock()
        self._is_torn = False
        self._fd = -1
        self._file = (0, 0)
        self._size = 0
        self._open()

    def write(self, line: bytes) -> None:
        """Writes one record."""
        text = self._render(line)
        with self._lock:
            try:
                try:
                    self._put(text)
                except OSError as error:
                    if not is_closed(error):
                        raise
                    self._fd = -1
                    self._open()
                    self._put(text)
            except OSError:
                self.failures += 1

    def close(self) -> None:
        """Releases the file; idempotent."""
        with self._lock:
            if self._fd >= 0:
                close_own(self._fd)
                self._fd = -1

    def renew_lock(self) -> None:
        """After a fork, in the child: another thread may have held the lock."""
        self._lock = threading.RLock()
        self._is_busy = False

    def _put(self, text: bytes) -> None:
        if not self._is_busy:
            self._make_ready(len(text))
        if self._is_torn:
            text = b"\n" + text
        written = os.write(self._fd, text)
        self._size += written
        if written == len(text):
            self._is_torn = False
            return
        self._take_back(written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def _take_back(self, written: int) -> None:
        """Removes the part of a line that could be written, unless others have written behind it."""
        self._is_torn = True
        end = os.lseek(self._fd, 0, os.SEEK_CUR)
        if os.fstat(self._fd).st_size == end:
            os.ftruncate(self._fd, end - written)
            self._size -= written
            self._is_torn = False

    def _make_ready(self, size: int) -> None:
        self._is_busy = True
        try:
            now = self._clock()
            if now - self._looked_at >= _LOOK_SECONDS:
                self._looked_at = now
                self._follow()
            if self._size and self._size + size > self._max_bytes:
                self._rotate(size)
        finally:
            self._is_busy = False

    def _open(self) -> None:
        # The directory may have been removed while the program ran.
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        fd = open_high(self.path, _APPENDING, 0o640)
        old, self._fd = self._fd, fd
        found = os.fstat(fd)
        self._size, self._file = found.st_size, (found.st_dev, found.st_ino)
        self._is_torn = self._ends_within_line()
        if old >= 0:
            close_own(old)

    def _ends_within_line(self) -> bool:
        if not self._size:
            return False
        try:
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) != b"\n"
        except OSError:
            return False

    def _follow(self) -> None:
        """Notices that the file was renamed, removed or truncated by somebody else."""
        mine = os.fstat(self._fd)
        if (mine.st_dev, mine.st_ino) != self._file:
            # The program has closed it, and opened a file of its own that got the number.
            self._fd = -1
            self._open()
            return
        self._size = mine.st_size
        try:
            there = self.path.stat()
        except FileNotFoundError:
            self._open()
            return
        if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
            self._open()

    def _rotate(self, size: int) -> None:
        lock = take(self.path.with_name(self.path.name + ".lock"), mode=0o640)
        try:
            self._follow()
            if self._size + size <= self._max_bytes:
                # Another process has just rotated.
                return
            self._shift()
            self._open()
        finally:
            give(lock)

    def _shift(self) -> None:
        if self._backups == 0:
            os.ftruncate(self._fd, 0)
            return
        for number in range(self._backups - 1, 0, -1):
            source = self._numbered(number)
            if source.exists():
                source.replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
