"""The journal's files: append-only segments, each named by the position of its first byte."""

from __future__ import annotations

import bisect
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from log_collector.journal.entry import MAGIC, EntryError, StoredBatch, decode_entry, entry_bytes
from log_collector.journal.places import (
    UNKNOWN_WATERMARK,
    Damage,
    find_segments,
    head_bytes,
    pack_watermark,
    segment_head,
    segment_path,
    unpack_watermark,
)

_WATERMARK: Final = "durable"
_MAX_PIECES: Final = 1000
"""Pieces per writev; Linux takes 1,024."""


class Segments:
    """A directory of segments. Not thread-safe for writers: one thread appends and trims, any thread reads.

    Owns its files; `close` releases them and is idempotent.
    """

    def __init__(self, directory: Path, segment_limit_bytes: int, start_position: int = 0) -> None:
        """`start_position` is where an empty directory begins."""
        self._directory = directory
        self._start_position = start_position
        self._segment_limit_bytes = segment_limit_bytes
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._bases, self._found = find_segments(directory)
        self._sizes = {base: self._path(base).stat().st_size for base in self._bases}
        self._fd = -1
        self._directory_fd = os.open(directory, os.O_RDONLY)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._watermark_fd = os.open(directory / _WATERMARK, flags, 0o640)
        if not self._bases:
            self._write_watermark(start_position)
        self._rotten: set[int] = set()
        self.rotten: list[Damage] = []
        """What was whole at the start and could not be read since; appended by any thread."""

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
        return sum(list(self._sizes.values()))

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
            if not os.fstat(self._fd).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "the journal's file was removed")
        except OSError:
            self._cut_back(start)
            raise
        self._sizes[base] = start + size
        self._write_watermark(base + start + size)
        return base + start

    def read(self, position: int, end: int, max_bytes: int) -> list[StoredBatch]:
        """Returns the undamaged entries from `position` on, before `end`: at least one where there is one,
        else about `max_bytes`. A position in a trimmed or damaged range reads on behind it.
        """
        found: list[StoredBatch] = []
        while not found and position < end:
            bases = self._bases
            index = max(0, bisect.bisect_right(bases, position) - 1)
            base = bases[index]
            position = max(position, base)
            stop = min(end, base + self._sizes.get(base, 0))
            if position >= stop:
                # Positions that were lost belong to no segment.
                if index + 1 == len(bases):
                    break
                position = bases[index + 1]
                continue
            try:
                found, position = self._read_segment(base, position, stop, max_bytes)
            except FileNotFoundError:
                # Trimmed meanwhile: a reader without a cursor goes on behind it.
                if base in self._bases:
                    self._note_rot(Damage(position, stop - position, "its segment is gone", True))
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

    def recover(self, visit: Callable[[StoredBatch], None], known_position: int = 0) -> list[Damage]:
        """Verifies every entry, hands each to `visit` in order, and cuts off a torn tail.

        `known_position`: everything before it was durable once, whatever the files say now. What is written
        from now on goes behind it: a position that a reader has passed is never used again.
        """
        durable = self._read_watermark()
        floor = max(known_position, 0 if durable == UNKNOWN_WATERMARK else durable)
        damages = list(self._found)
        end = self._bases[0] if self._bases else self._start_position
        for base in list(self._bases):
            if base > end:
                damages.append(Damage(end, base - end, "the end of a segment, or a segment, is gone", True))
            data = self._path(base).read_bytes()
            end = base + len(data)
            for item in scan_segment(data, base):
                if isinstance(item, StoredBatch):
                    visit(item)
                    continue
                is_tail = base == self._bases[-1] and item.position + item.length_bytes == base + len(data)
                was_acknowledged = not is_tail or item.position < durable
                damages.append(msgspec.structs.replace(item, was_acknowledged=was_acknowledged))
                if is_tail:
                    self._truncate(base, item.position - base)
                    end = item.position
        if end < floor:
            damages.append(Damage(end, floor - end, "the journal's end is gone", True))
            self._begin_segment(floor)
        return damages

    def close(self) -> None:
        """Releases the files."""
        for fd in (self._fd, self._directory_fd, self._watermark_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._directory_fd = self._watermark_fd = -1

    def _path(self, base: int) -> Path:
        return segment_path(self._directory, base)

    def _roll(self) -> None:
        """Goes on in the last segment when it is not full, else in a new one."""
        if self._fd < 0 and self._bases and self._sizes[self._bases[-1]] < self._segment_limit_bytes:
            name = self._path(self._bases[-1]).name
            self._fd = os.open(name, os.O_RDWR | os.O_CLOEXEC, dir_fd=self._directory_fd)
            return
        self._begin_segment(self.end_position)

    def _begin_segment(self, base: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        # By the directory that was opened: one that is put in its place is somebody else's.
        fd = os.open(self._path(base).name, flags, 0o640, dir_fd=self._directory_fd)
        try:
            # Its own place, so that a file that is put in another's is noticed.
            head = segment_head(base)
            size = os.fstat(fd).st_size
            if size < len(head):
                size = os.pwrite(fd, head, 0)
            if size < len(head):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._directory_fd)
        except OSError:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        if base not in self._sizes:
            self._sizes[base] = size
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

    def _write_watermark(self, position: int) -> None:
        os.pwrite(self._watermark_fd, pack_watermark(position), 0)

    def _read_watermark(self) -> int:
        return unpack_watermark(os.pread(self._watermark_fd, 64, 0))

    def _note_rot(self, damage: Damage) -> None:
        if damage.position not in self._rotten:
            self._rotten.add(damage.position)
            self.rotten.append(damage)

    def _read_segment(
        self, base: int, position: int, stop: int, max_bytes: int
    ) -> tuple[list[StoredBatch], int]:
        """Returns entries, and where to go on if none were found."""
        with self._path(base).open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), min(max_bytes, stop - position), position - base)
            found = self._entries(data, base, position, stop)
            if found or position + len(data) >= stop:
                return found, stop
            # Not one whole entry within max_bytes: take what the first one needs, or all, around damage.
            try:
                needed = entry_bytes(data, 0)
            except EntryError:
                needed = stop - position
            data = os.pread(file.fileno(), min(max(needed, max_bytes), stop - position), position - base)
            return self._entries(data, base, position, stop), position + len(data)

    def _entries(self, data: bytes, base: int, position: int, stop: int) -> list[StoredBatch]:
        found: list[StoredBatch] = []
        for item in scan_segment(data, position) if position == base else scan(data, position):
            if isinstance(item, StoredBatch):
                found.append(item)
            elif item.position + item.length_bytes < position + len(data) or position + len(data) >= stop:
                # It ends before the piece does, so it is not merely cut off by it.
                self._note_rot(msgspec.structs.replace(item, was_acknowledged=True))
        return found


def scan_segment(data: bytes, base: int) -> Iterator[StoredBatch | Damage]:
    """As `scan`, of a segment from its beginning, which says where it belongs; those of 0.1.0 do not."""
    skipped = head_bytes(data, base)
    yield from scan(data[skipped:] if skipped else data, base + skipped)


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
    """Where the next undamaged entry begins; the end of `data` if none is left."""
    while (offset := data.find(MAGIC, offset)) >= 0:
        try:
            decode_entry(data, offset, 0)
        except EntryError:
            offset += 1
        else:
            return offset
    return len(data)
