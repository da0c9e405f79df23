"""The journal's files: append-only segments, each named by the position of its first byte."""

from __future__ import annotations

import bisect
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from log_collector.journal.entry import MAGIC, EntryError, StoredBatch, decode_entry, entry_bytes

_SUFFIX: Final = ".segment"
_WATERMARK: Final = "durable"
_MAX_PIECES: Final = 1000
"""Pieces per writev; Linux takes 1,024."""


class Damage(msgspec.Struct, frozen=True):
    """A range that cannot be read any more."""

    position: int
    length_bytes: int
    reason: str
    was_acknowledged: bool
    """False: a tail that was being written when the process died; nobody was told it is safe."""


class Segments:
    """A directory of segments. Not thread-safe for writers: one thread appends and trims, any thread reads.

    Owns its files; `close` releases them and is idempotent.
    """

    def __init__(self, directory: Path, segment_limit_bytes: int, start_position: int = 0) -> None:
        """`start_position` is where an empty directory begins."""
        self._directory = directory
        self._start_position = start_position
        self._segment_limit_bytes = segment_limit_bytes
        directory.mkdir(parents=True, exist_ok=True)
        self._bases = sorted(int(p.stem) for p in directory.glob(f"*{_SUFFIX}"))
        self._sizes = {base: self._path(base).stat().st_size for base in self._bases}
        self._fd = -1
        self._directory_fd = os.open(directory, os.O_RDONLY)
        self._watermark_fd = os.open(directory / _WATERMARK, os.O_RDWR | os.O_CREAT, 0o640)

    @property
    def oldest_position(self) -> int:
        """Where the oldest entry begins."""
        return self._bases[0] if self._bases else self._start_position

    @property
    def end_position(self) -> int:
        """Where the next entry will begin."""
        return self._bases[-1] + self._sizes[self._bases[-1]] if self._bases else self._start_position

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return self.end_position - self.oldest_position

    def append(self, pieces: list[bytes]) -> int:
        """Writes the pieces, makes them durable, and returns the position of the first one.

        All or nothing: on OSError the file is cut back to where it was, and the error goes on.
        """
        size = sum(map(len, pieces))
        if self._fd < 0 or self._sizes[self._bases[-1]] + size > self._segment_limit_bytes:
            self._roll()
        base = self._bases[-1]
        start = self._sizes[base]
        try:
            self._write(pieces, start)
            os.fdatasync(self._fd)
        except OSError:
            self._cut_back(start)
            raise
        self._sizes[base] = start + size
        os.pwrite(self._watermark_fd, struct.pack("<Q", base + start + size), 0)
        return base + start

    def read(self, position: int, end: int, max_bytes: int) -> list[StoredBatch]:
        """Returns the undamaged entries from `position` on, before `end`: at least one where there is one,
        else about `max_bytes`. A position in a trimmed or damaged range reads on behind it.
        """
        found: list[StoredBatch] = []
        while not found and position < end:
            bases = self._bases
            base = bases[max(0, bisect.bisect_right(bases, position) - 1)]
            position = max(position, base)
            stop = min(end, base + self._sizes.get(base, 0))
            try:
                found, position = self._read_segment(base, position, stop, max_bytes)
            except FileNotFoundError:
                # Trimmed meanwhile: a reader without a cursor goes on behind it.
                position = stop
        return found

    def trim(self, position: int) -> int:
        """Deletes the segments that lie wholly before `position`; returns how many bytes that gave back."""
        freed = 0
        while self.can_trim(position):
            base = self._bases[0]
            self._path(base).unlink(missing_ok=True)
            # A new list, since readers in other threads hold the old one.
            self._bases = self._bases[1:]
            freed += self._sizes.pop(base)
        if freed:
            os.fsync(self._directory_fd)
        return freed

    def can_trim(self, position: int) -> bool:
        """Whether `trim` would delete anything."""
        return len(self._bases) > 1 and self._bases[1] <= position

    def recover(self, visit: Callable[[StoredBatch], None]) -> list[Damage]:
        """Verifies every entry, hands each to `visit` in order, and cuts off a torn tail."""
        durable = self._read_watermark()
        damages: list[Damage] = []
        for base in list(self._bases):
            data = self._path(base).read_bytes()
            for item in scan(data, base):
                if isinstance(item, StoredBatch):
                    visit(item)
                    continue
                is_tail = base == self._bases[-1] and item.position + item.length_bytes == base + len(data)
                was_acknowledged = not is_tail or item.position < durable
                damages.append(msgspec.structs.replace(item, was_acknowledged=was_acknowledged))
                if is_tail:
                    self._truncate(base, item.position - base)
        return damages

    def close(self) -> None:
        """Releases the files."""
        for fd in (self._fd, self._directory_fd, self._watermark_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._directory_fd = self._watermark_fd = -1

    def _path(self, base: int) -> Path:
        return self._directory / f"{base:020d}{_SUFFIX}"

    def _roll(self) -> None:
        """Goes on in the last segment when it is not full, else in a new one."""
        if self._fd < 0 and self._bases and self._sizes[self._bases[-1]] < self._segment_limit_bytes:
            self._fd = os.open(self._path(self._bases[-1]), os.O_RDWR)
            return
        base = self.end_position
        fd = os.open(self._path(base), os.O_RDWR | os.O_CREAT, 0o640)
        os.fsync(self._directory_fd)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        if base not in self._sizes:
            self._sizes[base] = 0
            self._bases = [*self._bases, base]

    def _write(self, pieces: list[bytes], offset: int) -> None:
        for i in range(0, len(pieces), _MAX_PIECES):
            chunk = pieces[i : i + _MAX_PIECES]
            wanted = sum(map(len, chunk))
            written = os.pwritev(self._fd, chunk, offset)
            while written < wanted:
                rest = b"".join(chunk)[written:]
                more = os.pwrite(self._fd, rest, offset + written)
                if more == 0:
                    raise OSError("the disk took nothing")
                written += more
            offset += wanted

    def _cut_back(self, size: int) -> None:
        """After a failed write or sync the file's state is not known: cut it and open it anew."""
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            pass
        finally:
            os.close(self._fd)
            self._fd = -1

    def _truncate(self, base: int, size: int) -> None:
        with self._path(base).open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
        self._sizes[base] = size

    def _read_watermark(self) -> int:
        data = os.pread(self._watermark_fd, 8, 0)
        return int(struct.unpack("<Q", data)[0]) if len(data) == 8 else 0

    def _read_segment(
        self, base: int, position: int, stop: int, max_bytes: int
    ) -> tuple[list[StoredBatch], int]:
        """Returns entries, and where to go on when there are none."""
        with self._path(base).open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), min(max_bytes, stop - position), position - base)
            found = _entries(data, position)
            if found or position + len(data) >= stop:
                return found, stop
            # Not one whole entry within max_bytes: take what the first one needs, or all, around damage.
            try:
                needed = entry_bytes(data, 0)
            except EntryError:
                needed = stop - position
            data = os.pread(file.fileno(), min(max(needed, max_bytes), stop - position), position - base)
            return _entries(data, position), position + len(data)


def _entries(data: bytes, position: int) -> list[StoredBatch]:
    return [item for item in scan(data, position) if isinstance(item, StoredBatch)]


def scan(data: bytes, position: int) -> Iterator[StoredBatch | Damage]:
    """Yields the entries of `data`, which stands at `position`, and the ranges that are none."""
    offset = 0
    view = memoryview(data)
    while offset < len(data):
        try:
            batch = decode_entry(view, offset, position + offset)
        except EntryError as error:
            following = _find_entry(data, offset + 1)
            yield Damage(position + offset, following - offset, str(error), was_acknowledged=False)
            offset = following
        else:
            yield batch
            offset += batch.next_position - batch.position


def _find_entry(data: bytes, offset: int) -> int:
    """Where the next undamaged entry begins; the end of `data` if there is none."""
    while (offset := data.find(MAGIC, offset)) >= 0:
        try:
            decode_entry(data, offset, 0)
        except EntryError:
            offset += 1
        else:
            return offset
    return len(data)
