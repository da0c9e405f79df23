"""Puts opened batches into the journal, and keeps the books of what became of every record."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import msgspec

from log_collector.ingest.accounting import Accounting, Way
from log_collector.ingest.opening import BatchOpener, OpenedBatch
from log_collector.ingest.selection import Selected, SelectionConfig
from log_collector.ingest.selections import Selections
from log_collector.ingest.stamp import signed
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
from log_collector.journal.ownership import OWN_PRODUCER, producer_key
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
    tenant: str = ""
    """Whose they are, by the sender's credential; empty: the root tenant's."""

    @property
    def key(self) -> str:
        """Of the producer among those of all tenants."""
        return producer_key(self.tenant, self.producer)


class Ingest:
    """The one writer of the journal. Belongs to the event loop.

    `opener` is what stands before it; both are replaced when the rules are loaded again.
    """

    def __init__(
        self,
        journal: Journal,
        accounting: Accounting,
        opener: BatchOpener,
        selections: Selections,
        now_unix_nano: Callable[[], int] = time.time_ns,
    ) -> None:
        self.journal = journal
        self.accounting = accounting
        self.opener = opener
        self.selections = selections
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
        if opened.keys is None or not self.selections.is_active:
            selected = None
        else:
            lines = opened.lines[:-1].split(b"\n") if opened.lines else []
            selection = self.selections.of(envelope.tenant)
            selected = selection.select(lines, opened.keys, envelope.received_unix_nano)
        rejected = {str(r.reason): r.count for r in opened.rejections}
        accepted = envelope.count - sum(rejected.values())
        return self._append(envelope, opened, selected, accepted, rejected)

    def store_own(self, selected: Selected, tenant: str = "") -> asyncio.Future[int] | None:
        """Appends what is due of a tenant without any record coming; None: nothing is."""
        if not selected.lines and not selected.undo.taken and not selected.undo.given:
            return None
        origin, now = Origin("log-collector"), self.now_unix_nano()
        envelope = Envelope(Way.OWN, OWN_PRODUCER, UNSEQUENCED, 0, now, origin, tenant=tenant)
        empty = OpenedBatch(b"", b"", 0, (), b"", {}, None)
        selected.is_changed = True
        return self._append(envelope, empty, selected, 0, {})

    def replace_rules(self, opener: BatchOpener, selection: SelectionConfig | None) -> None:
        """Puts new rules in force from the next batch on; None: those of the selection stay."""
        self.opener = opener
        if selection is not None:
            self.give_out_all()
            recorded = [(0, line) for _, each in self.selections.all() for line in each.recorded_lines()]
            self.selections = Selections(selection)
            self.restore(recorded)

    def restore(self, held: list[tuple[int, bytes]]) -> None:
        """Puts records that were held under the rules in force; what these do not hold is written."""
        keys = self.opener.keys_of([line for _, line in held])
        for tenant in dict.fromkeys(key.log_tenant for key in keys) or {"": None}:
            own = [index for index, key in enumerate(keys) if key.log_tenant == tenant]
            selection = self.selections.of(tenant)
            lines, keys_of_own = [held[index] for index in own], [keys[index] for index in own]
            self._store_quietly(selection.restore(lines, keys_of_own, self.now_unix_nano()), tenant)

    def give_out_all(self) -> None:
        """Writes what the selection holds, for it ends."""
        for tenant, selection in self.selections.all():
            self._store_quietly(selection.give_out_all(self.now_unix_nano()), tenant)

    def tick(self) -> None:
        """Writes what the selection owes; to be called every second or so."""
        if self.journal.is_full:
            return
        for tenant, selection in self.selections.all():
            self._store_quietly(selection.tick(self.now_unix_nano()), tenant)

    def _store_quietly(self, selected: Selected, tenant: str) -> None:
        """Nobody waits for these records; where the journal takes none now, nothing has changed."""
        try:
            future = self.store_own(selected, tenant)
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
        missing = self.journal.missing_before(envelope.key, envelope.first_seq)
        conflicting = self.journal.taken_numbers(envelope.key, envelope.first_seq, envelope.count)

        def on_durable() -> None:
            self._under_way.popleft()
            dropped = selected.dropped if selected else {}
            self.accounting.tenant_records.add(envelope.tenant, batch.accepted_count)
            for books in self.accounting.books_of(envelope.tenant):
                books.count_stored(envelope.way, batch.accepted_count, rejected, dropped)
                books.redacted.update(opened.redacted)
                books.unpacked_bytes += batch.unpacked_bytes
                books.lost += missing
                books.conflicting += conflicting

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
            own = signed(selected.lines, envelope.tenant) if selected.generated else selected.lines
            lines = b"\n".join((*own, b"")) if own else b""
            records, size = pack(lines), len(lines)
    if not size:
        records, encoding = b"", Encoding.IDENTITY
    return NewBatch(
        producer=envelope.key,
        tenant=envelope.tenant,
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
