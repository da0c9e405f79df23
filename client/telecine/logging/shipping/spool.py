"""Keeps each record in a file before the call that logs it returns: the writing half of the spool.

Layout: `<root>/<producer>/` holds `resource.json`, `secret`, `owner.lock` (held while the producer lives),
`ship.lock` (held by the process that ships it), `acked`, and segments `<first sequence number>.ndjson`.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from telecine.logging.forked.descriptors import close_own, is_closed, open_high
from telecine.logging.forked.file_locks import give, take

OWNER_LOCK = "owner.lock"
SHIP_LOCK = "ship.lock"
RESOURCE_FILE = "resource.json"
OWNERSHIP_FILE = "secret"
"""What the collector knows the producer's owner by; spools of release 0.1.0 have none."""
SEGMENT_SUFFIX = ".ndjson"

_SECRET_BYTES = 32
_REMEASURE_SECONDS = 0.5
_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_FORBIDDEN = re.compile(r"[^A-Za-z0-9._-]+")


class Resource(msgspec.Struct, frozen=True):
    """What is the same for all records of a producer."""

    service: str
    env: str = ""
    service_version: str = ""
    host: str = ""
    pid: int = 0
    forked_from: tuple[str, ...] = ()
    """Tokens of the processes that it was forked from, the oldest first: such a producer cannot ship itself.
    Empty for all others. Not sent."""


class SpoolLimits(msgspec.Struct, frozen=True):
    """How much a producer may keep while nobody takes its records."""

    max_bytes: int = 256 << 20
    """Of one producer. Above it records below WARNING are dropped."""
    reserve_bytes: int = 16 << 20
    """On top, for WARNING and above."""
    segment_bytes: int = 4 << 20
    """A segment is begun anew at this size; shipped ones are removed whole."""


def producer_id(service: str, host: str, pid: int) -> str:
    """A new id, unique among all producers."""
    name = _FORBIDDEN.sub("-", f"{service}-{host}")[:80].strip("-._") or "producer"
    return f"{name}-{pid}-{secrets.token_hex(16)}"


def segment_name(first_seq: int) -> str:
    """File name of the segment that begins with this sequence number."""
    return f"{first_seq:020d}{SEGMENT_SUFFIX}"


def _write_own(path: Path, data: bytes) -> None:
    """Makes a file that only its user can read. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


class Spool:
    """One producer's records. `append` may be called from any thread, signal handler or `__del__`.

    The lock is re-entrant, so a handler that interrupts an append may append itself. Nothing here raises
    out of `append`: what cannot be kept is counted, and its sequence number is skipped, so that the
    collector sees the hole.
    """

    def __init__(
        self,
        root: Path,
        resource: Resource,
        limits: SpoolLimits,
        loss_line: Callable[[int, str], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Creates the producer's directory.

        `loss_line` renders the record that says how many were dropped, and why.

        Raises:
            OSError: the directory cannot be written.
        """
        self.producer = producer_id(resource.service, resource.host, os.getpid())
        self.directory = root / self.producer
        self._limits = limits
        self._loss_line = loss_line
        self._clock = clock
        self._lock = threading.RLock()
        self._deferred: list[bytes] = []
        self._is_rotating = False
        self._must_rotate = False
        self._next_seq = 1
        self._size = 0
        self._older_bytes = 0
        self._measured_at = float("-inf")
        self._unsaid = 0
        self._unsaid_reason = ""
        self.dropped = 0
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.mkdir(mode=0o700)
        # A look at whether the owner lives takes the lock for a moment: that is waited for.
        self._owner_lock = take(self.directory / OWNER_LOCK)
        # Before the resource: a spool that has one and no secret is of release 0.1.0.
        _write_own(self.directory / OWNERSHIP_FILE, secrets.token_bytes(_SECRET_BYTES))
        _write_own(self.directory / RESOURCE_FILE, msgspec.json.encode(resource))
        self._fd = open_high(self.directory / segment_name(1), _APPENDING, 0o600)
        self._is_open = True
        self._free_end = 0
        self._set_free_end()

    @property
    def is_open(self) -> bool:
        """Whether it still takes records."""
        return self._is_open

    @property
    def last_seq(self) -> int:
        """Sequence number of the last record, kept or dropped; 0 before the first."""
        return self._next_seq - 1

    def append(self, line: bytes, is_urgent: bool = False) -> bool:
        """Keeps one line, which ends in a line feed; True when it is in the file.

        `is_urgent` opens the reserve. A closed spool takes nothing and counts nothing: see `is_open`.
        """
        with self._lock:
            size = len(line)
            if self._size + size > self._free_end:
                return self._append_with_care(line, size, is_urgent)
            return self._write(line, size)

    def close(self) -> None:
        """Gives the directory free for others to ship and remove; idempotent."""
        with self._lock:
            if not self._is_open:
                return
            self._write_deferred()
            self._say_losses()
            self._is_open = False
            self._free_end = -1
            close_own(self._fd)
            give(self._owner_lock)

    def abandon_in_child(self) -> None:
        """After a fork, in the child: forget the parent's files without touching its locks."""
        self._lock = threading.RLock()
        if self._is_open:
            self._is_open = False
            self._free_end = -1
            close_own(self._fd)

    def _write(self, line: bytes, size: int) -> bool:
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            if is_closed(error):
                return self._end_unasked()
            return self._drop("disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "io_error")
        if written != size:
            self._mend()
            return self._drop("disk_full")
        self._size += size
        self._next_seq += 1
        return True

    def _end_unasked(self) -> bool:
        """The program has closed our descriptors, the owner's lock among them.

        Others may ship and remove the spool already, so what comes goes to a new one.
        """
        self._is_open = False
        self._free_end = -1
        give(self._owner_lock)
        return False

    def _append_with_care(self, line: bytes, size: int, is_urgent: bool) -> bool:
        if not self._is_open:
            return False
        if self._is_rotating:
            self._deferred.append(line)
            return True
        return self._prepare(size, is_urgent) and self._write(line, size)

    def _mend(self) -> None:
        """Takes half a line back; where that fails, a new segment is begun and readers skip the half line."""
        self._must_rotate = True
        self._free_end = -1
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            return

    def _drop(self, reason: str) -> bool:
        self.dropped += 1
        self._unsaid += 1
        self._unsaid_reason = reason
        self._next_seq += 1
        self._free_end = -1
        return False

    def _prepare(self, size: int, is_urgent: bool) -> bool:
        """Room, a sound segment, and the losses said, before the next line."""
        if not self._has_room(size, is_urgent):
            return self._drop("spool_full")
        # A hole in the sequence is stated by the name of the segment behind it.
        needs_segment = self._unsaid or self._must_rotate or self._size + size > self._limits.segment_bytes
        if needs_segment and not self._rotate():
            return self._drop(self._unsaid_reason or "io_error")
        self._set_free_end()
        is_sound = self._say_losses()
        if self._deferred:
            self._write_deferred()
        return is_sound

    def _set_free_end(self) -> None:
        """How large the segment may grow before anything has to be looked at."""
        self._free_end = min(self._limits.segment_bytes, self._limits.max_bytes - self._older_bytes)

    def _say_losses(self) -> bool:
        if not self._unsaid or not self._is_open:
            return True
        count, self._unsaid = self._unsaid, 0
        line = self._loss_line(count, self._unsaid_reason)
        if self._write(line, len(line)):
            return True
        # The loss record itself was counted as dropped; so is the record it was to go before.
        self._unsaid += count
        return self._drop(self._unsaid_reason)

    def _has_room(self, size: int, is_urgent: bool) -> bool:
        bound = self._limits.max_bytes + (self._limits.reserve_bytes if is_urgent else 0)
        if self._older_bytes + self._size + size <= bound:
            return True
        now = self._clock()
        if now - self._measured_at < _REMEASURE_SECONDS:
            return False
        self._measured_at = now
        total = sum(entry.stat().st_size for entry in os.scandir(self.directory))
        self._older_bytes = max(0, total - self._size)
        return total + size <= bound

    def _rotate(self) -> bool:
        """Begins a segment that is named by the next sequence number.

        What a signal handler logs meanwhile is deferred: its number would be in the name already.
        """
        self._is_rotating = True
        self._free_end = -1
        try:
            fd = open_high(self.directory / segment_name(self._next_seq), _APPENDING, 0o600)
        except OSError:
            self._unsaid_reason = self._unsaid_reason or "io_error"
            return False
        else:
            old, self._fd = self._fd, fd
            self._older_bytes += self._size
            self._size = 0
            self._must_rotate = False
            close_own(old)
            return True
        finally:
            self._is_rotating = False

    def _write_deferred(self) -> None:
        deferred, self._deferred = self._deferred, []
        for line in deferred:
            self._write(line, len(line))

    def renew_if_removed(self) -> None:
        """Begins a new segment where somebody has removed the current one."""
        with self._lock:
            try:
                is_gone = self._is_open and os.fstat(self._fd).st_nlink == 0
                if is_gone:
                    self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                    if self._rotate():
                        self._set_free_end()
                        self._write_deferred()
            except OSError:
                return
