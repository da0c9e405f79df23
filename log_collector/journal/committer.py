"""The thread that makes batches durable: whatever waits is written together and synced once."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from log_collector.journal.segments import Segments
from log_collector.journal.snapshot import Snapshot, write_snapshot

_GROUP_BYTES = 16 * 1024 * 1024


class Pending(msgspec.Struct):
    """Something for the thread to do, and who hears of it."""

    pieces: list[bytes]
    """Of one entry; empty: nothing to write, the caller waits for what went before."""
    size_bytes: int
    epoch: int
    """Which run of the queue it belongs to; a failure ends a run."""
    tell: Callable[[int | OSError], None]
    """Called on the event loop with the entry's position, or with what went wrong."""


class Trim(msgspec.Struct):
    """Deletes segments before a position, after writing down what must stay known."""

    position: int
    snapshot: Snapshot
    tell: Callable[[int | OSError], None]


class Committer:
    """Owns the writing side of the segments.

    After a failed write everything that is queued behind it fails too, until `begin_epoch`: the
    sequence numbers of later batches count on the earlier ones.
    """

    def __init__(self, segments: Segments, snapshot_path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._segments = segments
        self._snapshot_path = snapshot_path
        self._loop = loop
        self._queue: queue.SimpleQueue[Pending | Trim | None] = queue.SimpleQueue()
        self._failed_epoch = -1
        self._failure = OSError("the journal failed")
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(self, work: Pending | Trim) -> None:
        """Queues work; returns at once."""
        self._queue.put(work)

    def stop(self) -> None:
        """Does what is queued, then ends the thread. Blocks."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if work is None:
                return
            if isinstance(work, Trim):
                self._trim(work)
                continue
            group, follower = self._gather(work)
            self._commit(group)
            if isinstance(follower, Trim):
                self._trim(follower)
            elif follower is _STOP:
                return

    def _gather(self, first: Pending) -> tuple[list[Pending], Trim | object | None]:
        """Takes all that waits, up to a bound; the second value is what ended the group, if not a batch."""
        group = [first]
        size = first.size_bytes
        while size < _GROUP_BYTES:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return group, _STOP
            if isinstance(work, Trim):
                return group, work
            group.append(work)
            size += work.size_bytes
        return group, None

    def _commit(self, group: list[Pending]) -> None:
        outcome: int | OSError = self._failure
        alive = [work for work in group if work.epoch > self._failed_epoch]
        pieces = [piece for work in alive for piece in work.pieces]
        if alive:
            try:
                outcome = self._segments.append(pieces) if pieces else self._segments.end_position
            except OSError as error:
                self._failed_epoch = alive[0].epoch
                self._failure = outcome = error
        self._notify(self._tell_group, group, len(group) - len(alive), outcome)

    def _tell_group(self, group: list[Pending], dead: int, outcome: int | OSError) -> None:
        for work in group[:dead]:
            work.tell(self._failure)
        for work in group[dead:]:
            work.tell(outcome)
            if isinstance(outcome, int):
                outcome += work.size_bytes

    def _trim(self, work: Trim) -> None:
        outcome: int | OSError
        try:
            write_snapshot(self._snapshot_path, work.snapshot)
            outcome = self._segments.trim(work.position)
        except OSError as error:
            outcome = error
        self._notify(work.tell, outcome)

    def _notify(self, call: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            # The loop was closed: nobody waits any more, and what is written is written.
            pass


_STOP = object()
