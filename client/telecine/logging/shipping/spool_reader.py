"""Reads spools for shipping: one's own, and those of processes that died or cannot ship themselves."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from telecine.logging.forked.descriptors import close_own, open_high
from telecine.logging.forked.file_locks import give, is_free, take
from telecine.logging.shipping.spool import (
    OWNER_LOCK,
    OWNERSHIP_FILE,
    RESOURCE_FILE,
    SEGMENT_SUFFIX,
    SHIP_LOCK,
    Resource,
)

_ACKED = "acked"
_SEQ_DIGITS = 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*-\d+-[0-9a-f]{12,32}")
"""Of a spool's directory, as `producer_id` makes it; 12 digits: of release 0.1.0."""
_OURS = frozenset({OWNER_LOCK, SHIP_LOCK, RESOURCE_FILE, OWNERSHIP_FILE, _ACKED})
_OPENING = os.O_CLOEXEC | os.O_NOFOLLOW

_LOOK_SECONDS = 0.25
"""How long a directory's time stamp is trusted: of two changes within one tick of the kernel it shows one."""


class SpooledBatch(msgspec.Struct, frozen=True):
    """Consecutive records as they stand in the spool."""

    first_seq: int
    count: int
    lines: bytes
    """Newline-delimited JSON, each line ended."""
    lost_before: int
    """Sequence numbers right before `first_seq` that will never come."""


class SpoolReader:
    """Reads one producer's records in order. Held by one process at a time; not for several threads."""

    def __init__(
        self, directory: Path, resource: Resource, lock_fd: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Takes over the ship lock; use `claim`."""
        self.producer = directory.name
        self.directory = directory
        self.resource = resource
        self._lock_fd = lock_fd
        self._clock = clock
        self.secret = _read_secret(directory)
        """What the collector knows the owner by; empty: a spool of release 0.1.0."""
        self._acked_fd = open_high(directory / _ACKED, os.O_RDWR | os.O_CREAT | _OPENING, 0o600)
        self._lost = 0
        self._seen_change = -1
        self._looked_at = float("-inf")
        self._segment: int | None = None
        self._fd = -1
        self._offset = 0
        self._next_seq = 1
        acked = read_acked(directory)
        # More than was written: that file is damaged, or the last records are. The collector knows better.
        self.acked_seq = acked if acked <= last_written_seq(directory) else 0
        self.go_on_at(self.acked_seq + 1)

    @classmethod
    def claim(cls, directory: Path, clock: Callable[[], float] = time.monotonic) -> SpoolReader | None:
        """Takes the right to ship the spool; None when somebody else has it or it is no spool.

        Into a directory that is no spool nothing is written.
        """
        try:
            if not _is_file(directory / RESOURCE_FILE) or not _is_file(directory / OWNER_LOCK):
                return None
            lock = take(directory / SHIP_LOCK, waits=False)
        except OSError:
            return None
        try:
            return cls(directory, _readable_resource(directory), lock, clock)
        except OSError:
            give(lock)
            return None

    @property
    def next_seq(self) -> int:
        """Sequence number of the next record that `next_batch` would return, unless it was lost."""
        return self._next_seq

    def next_batch(self, max_bytes: int) -> SpooledBatch | None:
        """The next complete lines; None when there are none now.

        A single line longer than `max_bytes` comes alone.
        """
        if self._is_at_rest():
            return None
        while True:
            changed_at = self._changed_at()
            newer = [seq for seq in self._segments() if self._segment is None or seq > self._segment]
            lines = self._read_lines(max_bytes) if self._segment is not None else b""
            if newer:
                lines = _first_lines(lines, newer[0] - self._next_seq)
            if lines:
                first, lost = self._next_seq, self._lost
                count = lines.count(b"\n")
                self._offset += len(lines)
                self._next_seq += count
                self._lost = 0
                return SpooledBatch(first, count, lines, lost)
            if not newer:
                self._seen_change, self._looked_at = changed_at, self._clock()
                return None
            self._open_segment(newer[0])

    def _is_at_rest(self) -> bool:
        """Whether nothing has come since the last look, in which there was no newer segment: asked fifty
        times a second."""
        if self._segment is None or self._seen_change < 0 or os.fstat(self._fd).st_size != self._offset:
            return False
        if self._clock() - self._looked_at >= _LOOK_SECONDS:
            return False
        return self._changed_at() == self._seen_change

    def _changed_at(self) -> int:
        """When a file came or went; -1: the directory is gone."""
        try:
            return self.directory.stat().st_mtime_ns
        except OSError:
            return -1

    def go_on_at(self, seq: int) -> None:
        """Moves to the record with this number, or to the first that is left behind it."""
        self._lost = 0
        self._next_seq = seq
        self._close_segment()
        older = [first for first in self._segments() if first <= seq]
        if not older:
            return
        self._open_segment(older[-1])
        self._next_seq = older[-1]
        self._lost = 0
        while self._next_seq < seq:
            lines = self._read_lines(1 << 20)
            wanted = seq - self._next_seq
            count = lines.count(b"\n")
            if count == 0:
                # All that is here lies before `seq`: the hole is stated by the next segment.
                self._next_seq = seq
                return
            if count > wanted:
                lines, count = _first_lines(lines, wanted), wanted
            self._offset += len(lines)
            self._next_seq += count

    def go_on_behind(self, last_seq: int) -> None:
        """Takes the collector's word for what it has; what it lacks and we no longer have is lost."""
        if last_seq > self.acked_seq:
            self.acknowledge(last_seq)
        self.go_on_at(self.acked_seq + 1)
        self._lost += max(0, self.acked_seq - last_seq)

    def acknowledge(self, seq: int) -> None:
        """Notes that all up to `seq` is safe elsewhere, and removes what is no longer needed."""
        if seq <= self.acked_seq:
            return
        self.acked_seq = seq
        # A stale number only means that records are sent twice, which the collector sees: no fsync.
        os.pwrite(self._acked_fd, b"%020d\n" % seq, 0)
        segments = self._segments()
        for first, following in pairwise(segments):
            if following <= seq + 1 and first != self._segment:
                with contextlib.suppress(OSError):
                    (self.directory / f"{first:020d}{SEGMENT_SUFFIX}").unlink()

    def remove_if_finished(self) -> bool:
        """Removes the spool of a dead producer when all of it is acknowledged; True when it is gone."""
        if has_living_owner(self.directory):
            return False
        # Only after the owner is known to be dead does an empty rest stay empty.
        if self.next_batch(1) is not None:
            self.go_on_at(self.acked_seq + 1)
            return False
        if self._next_seq <= self.acked_seq + 1:
            self.remove()
            return True
        return False

    def remove(self) -> None:
        """Removes the spool's own files, and its directory where nothing else is in it."""
        try:
            names = [entry.name for entry in os.scandir(self.directory)]
        except OSError:
            names = []
        # Records first; without its resource what is left is no spool, so the secret goes after it.
        last = (RESOURCE_FILE, OWNERSHIP_FILE)
        for name in sorted(names, key=lambda name: (name in last and last.index(name) + 1, name in _OURS)):
            if name in _OURS or _segment_seq(name) is not None:
                with contextlib.suppress(OSError):
                    (self.directory / name).unlink()
        with contextlib.suppress(OSError):
            self.directory.rmdir()
        self.release()

    def release(self) -> None:
        """Lets others ship the spool; idempotent."""
        self._close_segment()
        if self._lock_fd >= 0:
            close_own(self._acked_fd)
            give(self._lock_fd)
            self._lock_fd = -1

    def size_bytes(self) -> int:
        """What the spool takes on the disk."""
        try:
            return sum(entry.stat().st_size for entry in os.scandir(self.directory))
        except OSError:
            return 0

    def count_left(self) -> int:
        """How many records are not acknowledged; moves the reader to the end."""
        self.go_on_at(self.acked_seq + 1)
        count = 0
        while (batch := self.next_batch(1 << 20)) is not None:
            count += batch.count
        return count

    def _read_lines(self, max_bytes: int) -> bytes:
        """Whole lines; none at the end of the segment, and where it cannot be read: what is behind it can."""
        try:
            data = os.pread(self._fd, max_bytes, self._offset)
            end = data.rfind(b"\n") + 1
            while not end and len(data) == max_bytes:
                max_bytes *= 2
                data = os.pread(self._fd, max_bytes, self._offset)
                end = data.find(b"\n") + 1
        except OSError:
            return b""
        return data[:end]

    def _segments(self) -> list[int]:
        try:
            names = [entry.name for entry in os.scandir(self.directory)]
        except OSError:
            return []
        return sorted(seq for name in names if (seq := _segment_seq(name)) is not None)

    def _open_segment(self, first_seq: int) -> None:
        self._close_segment()
        self._fd = open_high(self.directory / f"{first_seq:020d}{SEGMENT_SUFFIX}", os.O_RDONLY | _OPENING)
        self._segment = first_seq
        self._offset = 0
        if first_seq > self._next_seq:
            self._lost += first_seq - self._next_seq
            self._next_seq = first_seq

    def _close_segment(self) -> None:
        if self._fd >= 0:
            close_own(self._fd)
        self._fd, self._segment, self._offset = -1, None, 0
        self._seen_change = -1


def _first_lines(lines: bytes, count: int) -> bytes:
    """What a segment has beyond the name of the next one is damage, not records."""
    if lines.count(b"\n") <= count:
        return lines
    end = -1
    for _ in range(max(0, count)):
        end = lines.index(b"\n", end + 1)
    return lines[: end + 1]


def read_acked(directory: Path) -> int:
    """Up to which sequence number a spool is safe elsewhere; 0 when that is not known."""
    try:
        return int((directory / _ACKED).read_bytes())
    except (OSError, ValueError):
        return 0


def _read_secret(directory: Path) -> bytes:
    try:
        return _read_own(directory / OWNERSHIP_FILE)
    except FileNotFoundError:
        return b""


def _read_own(path: Path) -> bytes:
    """A small file of ours; a link in its place is not followed. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _OPENING)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _segment_seq(name: str) -> int | None:
    """The first sequence number of a segment by its name; None: it is no segment of ours."""
    stem = name.removesuffix(SEGMENT_SUFFIX)
    is_ours = (
        name.endswith(SEGMENT_SUFFIX) and len(stem) == _SEQ_DIGITS and stem.isascii() and stem.isdecimal()
    )
    return int(stem) if is_ours else None


def has_living_owner(directory: Path) -> bool:
    """Whether the process that writes this spool still runs."""
    try:
        return not is_free(directory / OWNER_LOCK)
    except OSError:
        return False


def read_resource(directory: Path) -> Resource:
    """What all records of the spool share.

    Raises:
        OSError: the spool has no such file, or one that cannot be read.
    """
    try:
        return msgspec.json.decode(_read_own(directory / RESOURCE_FILE), type=Resource)
    except msgspec.MsgspecError as error:
        raise OSError(f"{directory / RESOURCE_FILE}: {error}") from error


def is_of_child(directory: Path) -> bool:
    """Whether a forked child writes the spool, which cannot ship itself."""
    try:
        return bool(read_resource(directory).forked_from)
    except OSError:
        return False


def _readable_resource(directory: Path) -> Resource:
    """As `read_resource`; of a dead producer whose file is damaged, what its name says.

    Raises:
        OSError: the producer lives, and may be writing it.
    """
    try:
        return read_resource(directory)
    except OSError:
        if has_living_owner(directory):
            raise
    named = directory.name.rsplit("-", 2)[0]
    host = socket.gethostname()
    return Resource(named.removesuffix(f"-{host}"), host=host if named.endswith(f"-{host}") else "")


def last_written_seq(directory: Path) -> int:
    """Sequence number of the last complete record in a spool; 0 where none is left."""
    try:
        newest = max(seq for entry in os.scandir(directory) if (seq := _segment_seq(entry.name)) is not None)
        return newest - 1 + (directory / f"{newest:020d}{SEGMENT_SUFFIX}").read_bytes().count(b"\n")
    except (OSError, ValueError):
        return 0


def spool_directories(root: Path) -> Iterator[Path]:
    """Every spool below the root, the oldest first."""
    try:
        entries = [
            entry
            for entry in os.scandir(root)
            if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
        entries.sort(key=lambda entry: entry.stat().st_mtime)
    except OSError:
        return
    for entry in entries:
        yield Path(entry.path)
