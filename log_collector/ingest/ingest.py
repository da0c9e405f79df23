"""Puts opened batches into the journal, and keeps the books of what became of every record."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import msgspec

from log_collector.ingest.accounting import Accounting, Way
from log_collector.ingest.opening import BatchOpener, OpenedBatch
from log_collector.ingest.selection import Selected, Selection, SelectionConfig
from log_collector.journal import (
    UNSEQUENCED,
    Encoding,
    Journal,
    JournalClosedError,
    JournalFailedError,
    JournalFullError,
    NewBatch,
    Origin,
)
from log_collector.journal.entry import pack
from log_collector.journal.ownership import OWN_PRODUCER
from log_collector.processors.undo import Undo


class Envelope(msgspec.Struct, frozen=True):
    """Where a batch comes from; fields as in EntryHeader."""

    way: Way
    producer: str
    first_seq: int
    count: int
    received_unix_nano: int
    origin: Origin
    lost_before: int = 0
    uids: bytes = b""
    proof: bytes = b""
    checksums: bytes = b""
    is_conflicting: bool = False


class Ingest:
    """The one writer of the journal. Belongs to the event loop.

    `opener` is what stands before it; both are replaced when the rules are loaded again.
    """

    def __init__(
        self,
        journal: Journal,
        accounting: Accounting,
        opener: BatchOpener,
        selection: Selection,
        now_unix_nano: Callable[[], int] = time.time_ns,
    ) -> None:
        self.journal = journal
        self.accounting = accounting
        self.opener = opener
        self.selection = selection
        self.is_draining = False
        self.now_unix_nano = now_unix_nano
        self._under_way: deque[Undo] = deque()
        journal.on_failure = self._take_back

    def store(self, envelope: Envelope, opened: OpenedBatch) -> asyncio.Future[int]:
        """Appends a batch that is NEW to the journal; ends when it is durable.

        Raises JournalFullError, JournalClosedError or JournalFailedError at once, and then nothing has
        changed; the future raises JournalFailedError. The books are kept for what becomes durable; a
        refusal is its caller's.
        """
        self.journal.require_room()
        if opened.keys is None or not self.selection.is_active:
            selected = None
        else:
            lines = opened.lines[:-1].split(b"\n") if opened.lines else []
            selected = self.selection.select(lines, opened.keys, envelope.received_unix_nano)
        rejected = {str(r.reason): r.count for r in opened.rejections}
        accepted = envelope.count - sum(rejected.values())
        return self._append(envelope, opened, selected, accepted, rejected)

    def store_own(self, selected: Selected) -> asyncio.Future[int] | None:
        """Appends what is due without any record coming; None: nothing is."""
        if not selected.lines and not selected.undo.taken and not selected.undo.given:
            return None
        envelope = Envelope(
            Way.OWN, OWN_PRODUCER, UNSEQUENCED, 0, self.now_unix_nano(), Origin("log-collector")
        )
        empty = OpenedBatch(b"", b"", 0, (), b"", {}, None)
        selected.is_changed = True
        return self._append(envelope, empty, selected, 0, {})

    def replace_rules(self, opener: BatchOpener, selection: SelectionConfig | None) -> None:
        """Puts new rules in force from the next batch on; None: those of the selection stay."""
        self.opener = opener
        if selection is not None:
            self.give_out_all()
            recorded = [(0, line) for line in self.selection.recorded_lines()]
            self.selection = Selection(selection)
            self.restore(recorded)

    def restore(self, held: list[tuple[int, bytes]]) -> None:
        """Puts records that were held under the rules in force; what these do not hold is written."""
        keys = self.opener.keys_of([line for _, line in held])
        self._store_quietly(self.selection.restore(held, keys, self.now_unix_nano()))

    def give_out_all(self) -> None:
        """Writes what the selection holds, for it ends."""
        self._store_quietly(self.selection.give_out_all(self.now_unix_nano()))

    def tick(self) -> None:
        """Writes what the selection owes; to be called every second or so."""
        if self.journal.is_full:
            return
        self._store_quietly(self.selection.tick(self.now_unix_nano()))

    def _store_quietly(self, selected: Selected) -> None:
        """Nobody waits for these records; where the journal takes none now, nothing has changed."""
        try:
            future = self.store_own(selected)
        except (JournalFullError, JournalFailedError, JournalClosedError):
            return
        if future is not None:
            future.add_done_callback(_heed)

    def _append(
        self,
        envelope: Envelope,
        opened: OpenedBatch,
        selected: Selected | None,
        accepted: int,
        rejected: dict[str, int],
    ) -> asyncio.Future[int]:
        batch = _new_batch(envelope, opened, selected, accepted)
        undo = selected.undo if selected else Undo()
        self._under_way.append(undo)
        missing = self.journal.missing_before(envelope.producer, envelope.first_seq)
        conflicting = self.journal.taken_numbers(envelope.producer, envelope.first_seq, envelope.count)

        def on_durable() -> None:
            self._under_way.popleft()
            dropped = selected.dropped if selected else {}
            self.accounting.count_stored(envelope.way, batch.accepted_count, rejected, dropped)
            self.accounting.redacted.update(opened.redacted)
            self.accounting.unpacked_bytes += batch.unpacked_bytes
            self.accounting.lost += missing
            self.accounting.conflicting += conflicting

        try:
            return self.journal.append(batch, on_durable)
        except BaseException:
            self._under_way.pop().run()
            raise

    def _take_back(self) -> None:
        """The journal failed: what the batches under way changed in the selection is undone, newest first."""
        while self._under_way:
            self._under_way.pop().run()


def _new_batch(envelope: Envelope, opened: OpenedBatch, selected: Selected | None, accepted: int) -> NewBatch:
    records, encoding, size = opened.packed, Encoding.ZSTD, len(opened.lines)
    record_count, generated, held = opened.record_count, 0, 0
    dropped: dict[str, int] = {}
    changes = selected.undo if selected is not None else Undo()
    if selected is not None:
        record_count, generated, held = len(selected.lines), selected.generated, selected.held
        dropped = selected.dropped
        if selected.is_changed:
            lines = b"\n".join((*selected.lines, b"")) if selected.lines else b""
            records, size = pack(lines), len(lines)
    if not size:
        records, encoding = b"", Encoding.IDENTITY
    return NewBatch(
        producer=envelope.producer,
        first_seq=envelope.first_seq,
        count=envelope.count,
        received_unix_nano=envelope.received_unix_nano,
        record_count=record_count,
        accepted_count=accepted + generated,
        records=records,
        encoding=encoding,
        unpacked_bytes=size,
        quarantine=pack(opened.quarantine) if opened.quarantine else b"",
        lost_before=envelope.lost_before,
        dropped=dropped,
        origin=envelope.origin,
        uids=envelope.uids,
        held=held,
        taken=changes.taken,
        given=changes.given,
        proof=envelope.proof,
        checksums=envelope.checksums,
        is_conflicting=envelope.is_conflicting,
    )


def _heed(future: asyncio.Future[int]) -> None:
    """Takes notice of a failure that nobody waits for: the selection is already as it was."""
    if not future.cancelled():
        future.exception()
