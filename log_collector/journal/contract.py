"""What goes into the journal, what bounds it, and how it says no."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import msgspec

from log_collector.journal.entry import Encoding, EntryHeader, Origin
from log_collector.journal.held import held_id


class JournalLimits(msgspec.Struct, frozen=True):
    """What bounds the journal."""

    size_bytes: int = 2 * 1024**3
    """Appends are refused beyond it."""
    segment_bytes: int = 64 * 1024**2
    """Space is given back in steps of this size."""
    producers: int = 100_000
    """How many producers' sequence numbers are remembered."""
    uids: int = 500_000
    """How many of the newest record uids are remembered, at least."""
    digests: int = 1_000_000
    """How many of the newest records of producers without a secret can be compared with what comes again."""


class JournalFullError(Exception):
    """The journal is at its limit; worth trying again when a sink has moved on."""


class JournalFailedError(Exception):
    """The disk did not take it; nothing of it was kept. `is_disk_full` is the usual reason."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"the journal cannot be written: {cause.strerror or cause}")
        self.is_disk_full = cause.errno in (errno.ENOSPC, errno.EDQUOT)


class JournalClosedError(Exception):
    """The journal takes nothing any more."""


class NewBatch(msgspec.Struct, frozen=True):
    """A redacted batch to append; fields as in EntryHeader."""

    producer: str
    first_seq: int
    count: int
    received_unix_nano: int
    record_count: int
    accepted_count: int
    records: bytes
    """The packed records section."""
    encoding: Encoding
    unpacked_bytes: int
    quarantine: bytes = b""
    """One zstd frame of quarantine lines; empty: none."""
    lost_before: int = 0
    dropped: dict[str, int] = {}
    origin: Origin = Origin()
    uids: bytes = b""
    held: int = 0
    taken: Sequence[tuple[int, bytes]] = ()
    """Records that are held from now on instead of written, each with how many were left out before it."""
    given: Sequence[bytes] = ()
    """Records that were held until now."""
    proof: bytes = b""
    checksums: bytes = b""
    tenant: str = ""
    is_conflicting: bool = False
    """Whether it may have numbers that other records are stored under."""


def header_of(batch: NewBatch, held_bytes: int) -> EntryHeader:
    """The entry's header for a batch; `held_bytes`: length of its packed section of held records."""
    return EntryHeader(
        producer=batch.producer,
        first_seq=batch.first_seq,
        count=batch.count,
        received_unix_nano=batch.received_unix_nano,
        record_count=batch.record_count,
        accepted_count=batch.accepted_count,
        records_bytes=len(batch.records),
        encoding=batch.encoding,
        unpacked_bytes=batch.unpacked_bytes,
        lost_before=batch.lost_before,
        dropped=batch.dropped,
        origin=batch.origin,
        uids=batch.uids,
        held=batch.held,
        held_bytes=held_bytes,
        given=b"".join(map(held_id, batch.given)),
        proof=batch.proof,
        checksums=batch.checksums,
        tenant=batch.tenant,
    )
