"""The journal as ingest and sinks see it: append and learn when it is durable; read on from a position."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from log_collector.journal.committer import Committer, Pending, Trim
from log_collector.journal.contract import (
    JournalClosedError,
    JournalFailedError,
    JournalFullError,
    JournalLimits,
    NewBatch,
    header_of,
)
from log_collector.journal.digests import Digests
from log_collector.journal.entry import UNSEQUENCED, StoredBatch, encode_entry
from log_collector.journal.held import HeldRecords, pack_held
from log_collector.journal.places import Damage
from log_collector.journal.producers import Admission, ProducerTable, Verdict
from log_collector.journal.segments import Segments
from log_collector.journal.snapshot import Snapshot, read_snapshot
from log_collector.journal.uids import UidWindow, split_keys

_SNAPSHOT: Final = "known.snapshot"


class Journal:
    """Durable batches in the order they were appended.

    `append`, `admit`, `trim` and `wait_for_more` belong to the event loop that `open` ran on; `read` may
    be called from any thread. Owns its directory; `close` writes what is queued first and is idempotent.
    """

    def __init__(
        self, directory: Path, limits: JournalLimits, loop: asyncio.AbstractEventLoop, start_position: int
    ) -> None:
        self._limits = limits
        self._snapshot_path = directory / _SNAPSHOT
        snapshot, rotten = _known(self._snapshot_path)
        known_position = max(start_position, snapshot.position)
        segment_bytes = min(limits.segment_bytes, max(1, limits.size_bytes // 4))
        self._segments = Segments(directory, segment_bytes, known_position)
        self.producers = ProducerTable(limits.producers)
        self.uids = UidWindow(limits.uids)
        self.digests = Digests(limits.digests)
        self._held = HeldRecords()
        self.damages: Sequence[Damage] = [*rotten, *self._recover(snapshot, known_position)]
        self.durable_position = self._segments.end_position
        self._loop = loop
        self._epoch = 0
        self._queued_bytes = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._is_trimming = False
        self._is_closed = False
        self.is_gone = False
        """Whether the directory is not there any more: set from outside, and nothing is taken then."""
        self.durable_records = 0
        """Lines of all batches that became durable since the journal was opened."""
        self.failures = 0
        """How often what was under way could not be kept."""
        self.last_failure = ""
        self.on_failure: Callable[[], None] = lambda: None
        """Called, once, when batches under way could not be kept, before any of their futures ends."""
        self._committer = Committer(self._segments, self._snapshot_path, loop)

    @classmethod
    async def open(cls, directory: Path, limits: JournalLimits, start_position: int = 0) -> Journal:
        """Verifies what is there, cuts off a torn tail and returns the journal; `damages` lists both.

        `start_position` is the highest cursor's: a journal whose files are gone begins there, so that no
        sink waits for a position that was reached long ago.
        """
        loop = asyncio.get_running_loop()
        return await asyncio.to_thread(cls, directory, limits, loop, start_position)

    @property
    def oldest_position(self) -> int:
        """Where the oldest entry begins."""
        return self._segments.oldest_position

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, and on their way there."""
        return self._segments.size_bytes + self._queued_bytes

    @property
    def is_full(self) -> bool:
        """Whether the next append would be refused."""
        return self.size_bytes >= self._limits.size_bytes

    def admit(self, producer: str, first_seq: int, count: int, lost_before: int = 0) -> Admission:
        """Says what a batch of these numbers would be; changes nothing."""
        return self.producers.admit(producer, first_seq, count, lost_before)

    def require_room(self) -> None:
        """Raises JournalFullError, JournalFailedError or JournalClosedError where an append would."""
        if self._is_closed:
            raise JournalClosedError("the journal is closed")
        if self.is_gone:
            raise JournalFailedError(OSError(errno.ESTALE, "the data directory is not there"))
        if self.is_full:
            raise JournalFullError(
                f"the journal holds {self.size_bytes} bytes, its limit is {self._limits.size_bytes}"
            )

    def missing_before(self, producer: str, first_seq: int) -> int:
        """How many sequence numbers before a batch are not on the disk nor on their way; UNSEQUENCED: 0."""
        if first_seq == UNSEQUENCED:
            return 0
        return max(0, first_seq - self.admit(producer, first_seq, 1).expected_seq)

    def taken_numbers(self, producer: str, first_seq: int, count: int) -> int:
        """How many numbers of a batch are those of records that are stored or on their way already."""
        if first_seq == UNSEQUENCED:
            return 0
        return max(0, min(count, self.admit(producer, first_seq, 1).expected_seq - first_seq))

    def append(self, batch: NewBatch, on_durable: Callable[[], None] | None = None) -> asyncio.Future[int]:
        """Takes a batch; the future ends when it is durable, with its position.

        The batch must be NEW by `admit` in the same step of the loop (or UNSEQUENCED), its uids unknown.
        `on_durable` is called in the step in which it is, in the order of the appends. Raises
        JournalFullError, JournalClosedError or JournalFailedError at once; the future raises the last one.
        """
        self.require_room()
        if batch.first_seq != UNSEQUENCED:
            admission = self.admit(batch.producer, batch.first_seq, batch.count, batch.lost_before)
            is_known = admission.verdict in (Verdict.DUPLICATE, Verdict.OVERLAP)
            if admission.verdict is not Verdict.NEW and not (is_known and batch.is_conflicting):
                raise ValueError(f"a batch that is {admission.verdict} cannot be appended")
            self.producers.reserve(batch.producer, batch.first_seq + batch.count - 1, batch.proof)
        if batch.checksums:
            # At once: a batch that comes again while this one is on its way is compared with it.
            self.digests.note(batch.producer, batch.first_seq, batch.checksums)
        keys = split_keys(batch.uids)
        self.uids.reserve(keys)
        held = pack_held(batch.taken)
        header = header_of(batch, len(held))
        pieces = encode_entry(header, batch.records, batch.quarantine, held)

        def settle() -> None:
            self.uids.commit(keys)
            self._held.change(batch.taken, header.given)
            self._note_durable(batch)
            if on_durable is not None:
                on_durable()

        return self._submit(pieces, settle)

    def wait_until_durable(self) -> asyncio.Future[int]:
        """Ends when all that was appended before is durable; raises JournalFailedError if it is not."""
        if self._is_closed:
            raise JournalClosedError("the journal is closed")
        return self._submit([], lambda: None)

    def read(self, position: int, max_bytes: int) -> list[StoredBatch]:
        """Returns durable batches from `position` on: none at the end, else at least one.

        A position before the oldest entry, or in a damaged range, reads on behind it. Blocks on the disk.
        """
        return self._segments.read(position, self.durable_position, max_bytes)

    def held(self) -> list[tuple[int, bytes]]:
        """Durable records that a rule holds back, each with how many were left out before it."""
        return self._held.dump()

    async def wait_for_more(self, position: int) -> None:
        """Returns when there is something durable at `position` or behind it, or the journal is closed."""
        while position >= self.durable_position and not self._is_closed:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    async def trim(self, position: int) -> int:
        """Gives back the space of segments that lie wholly before `position`; returns the bytes freed.

        `position` is that of the slowest cursor. Raises JournalFailedError.
        """
        position = min(position, self.durable_position)
        if self._is_trimming or self._is_closed or not self._segments.can_trim(position):
            return 0
        future: asyncio.Future[int] = self._loop.create_future()
        old, young = self.uids.dump()
        producers, held = self.producers.dump(), self._held.dump()
        runs = self.digests.dump()
        snapshot = Snapshot(self.durable_position, producers, old, young, held, runs)
        self._is_trimming = True
        try:
            self._committer.submit(Trim(position, snapshot, _settler(future)))
            return await future
        finally:
            self._is_trimming = False

    async def close(self) -> None:
        """Makes durable what is queued, then releases the files."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.to_thread(self._committer.stop)
        # The thread's last words are callbacks of this loop.
        await asyncio.sleep(0)
        self._wake()
        self._segments.close()

    def _submit(self, pieces: list[bytes], on_durable: Callable[[], None]) -> asyncio.Future[int]:
        size = sum(map(len, pieces))
        future: asyncio.Future[int] = self._loop.create_future()
        self._queued_bytes += size
        settle = _settler(future)
        epoch = self._epoch

        def tell(outcome: int | OSError) -> None:
            self._queued_bytes -= size
            if isinstance(outcome, int):
                self.durable_position = max(self.durable_position, outcome + size)
                on_durable()
                self._wake()
            elif epoch == self._epoch:
                self.last_failure = outcome.strerror or str(outcome)
                self._begin_epoch()
            settle(outcome)

        self._committer.submit(Pending(pieces, size, epoch, tell))
        return future

    def _begin_epoch(self) -> None:
        """After a failure: what was on its way is gone, new batches may come in its place."""
        self._epoch += 1
        self.failures += 1
        self.on_failure()
        self.producers.reset_reservations()
        self.uids.reset_reservations()

    def _note_durable(self, batch: NewBatch) -> None:
        self.durable_records += batch.record_count
        if batch.first_seq != UNSEQUENCED:
            self.producers.commit(
                batch.producer,
                batch.first_seq,
                batch.count,
                batch.received_unix_nano,
                batch.origin,
                batch.proof,
            )

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _recover(self, snapshot: Snapshot, known_position: int) -> list[Damage]:
        self.producers.load(snapshot.producers)
        self.uids.load(snapshot.uids_old, snapshot.uids_young)
        self._held.load(snapshot.held)
        self.digests.load(snapshot.runs)

        def visit(stored: StoredBatch) -> None:
            if stored.position < snapshot.position:
                return
            header = stored.header
            if header.first_seq != UNSEQUENCED:
                self.producers.commit(
                    header.producer,
                    header.first_seq,
                    header.count,
                    header.received_unix_nano,
                    header.origin,
                    header.proof,
                )
                if header.checksums:
                    self.digests.note(header.producer, header.first_seq, header.checksums)
            self.uids.commit(split_keys(header.uids))
            self._held.change_by_entry(stored.held_section, header.given)

        oldest = self._segments.oldest_position
        damages = self._segments.recover(visit, known_position)
        if oldest > snapshot.position:
            # Segments are only deleted once a snapshot says what must stay known of them.
            reason = "what was known of older records, or their segments, is gone"
            damages.insert(0, Damage(snapshot.position, oldest - snapshot.position, reason, True))
        return damages

    @property
    def rotten(self) -> Sequence[Damage]:
        """What was whole when the journal was opened and could not be read since."""
        return self._segments.rotten


def _known(path: Path) -> tuple[Snapshot, list[Damage]]:
    """What is known of deleted entries; a damaged file is set aside and reported.

    Without it the places of producers that were not seen since are forgotten: they are informed, and go on.
    """
    try:
        return read_snapshot(path), []
    except ValueError as error:
        path.replace(path.with_suffix(".damaged"))
        return Snapshot(), [Damage(0, 0, str(error), was_acknowledged=True)]


def _settler(future: asyncio.Future[int]) -> Callable[[int | OSError], None]:
    def settle(outcome: int | OSError) -> None:
        if future.done():
            return
        if isinstance(outcome, int):
            future.set_result(outcome)
        else:
            future.set_exception(JournalFailedError(outcome))

    return settle
