"""The journal's entry on disk: one redacted batch, its origin and what became of its records."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

import google_crc32c
import msgspec
import zstandard

_PREFIX = struct.Struct("<4sIII")
"""Magic, CRC32C of all that follows it, length of the header, length of the sections."""
MAGIC: Final = b"TCJ1"
PREFIX_BYTES: Final = _PREFIX.size
UNSEQUENCED: Final = 0
"""`first_seq` of a batch whose sender does not number its records."""
UID_BYTES: Final = 16


class Encoding(IntEnum):
    """How a section's bytes are packed."""

    IDENTITY = 0
    ZSTD = 1


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """What is the same for all records of a producer; empty or 0 where it is not stated."""

    service: str = ""
    env: str = ""
    service_version: str = ""
    host: str = ""
    pid: int = 0


class EntryHeader(msgspec.Struct, frozen=True, array_like=True):
    """All of a batch but its records."""

    producer: str
    """Who counted; "otlp:<service>" for records without sequence numbers."""
    first_seq: int
    """Sequence number of the first record, or UNSEQUENCED."""
    count: int
    """How many sequence numbers the batch covers: received records, whatever became of them."""
    received_unix_nano: int
    record_count: int
    """How many lines the records section has."""
    accepted_count: int
    """How many of the received are ours; `accepted_count - record_count` were dropped or are held by rule,
    or, below 0, were released by the flight recorder."""
    records_bytes: int
    """Length of the packed records section; the quarantine section is between it and the held records."""
    encoding: Encoding
    unpacked_bytes: int
    """Length of the records section when unpacked."""
    lost_before: int = 0
    """Sequence numbers right before `first_seq` that will never come."""
    dropped: dict[str, int] = {}
    """Why accepted records are not among the lines: reason to count."""
    origin: Origin = Origin()
    uids: bytes = b""
    """UID_BYTES for each record that has a uid: what a later duplicate is recognised by."""
    held: int = 0
    """How many more records are held instead of written; negative: fewer."""
    held_bytes: int = 0
    """Length of the packed section of held records, the last one."""
    given: bytes = b""
    """Ids of records of this or earlier entries that are held no more; see `held`."""
    proof: bytes = b""
    """Of the secret that the producer was opened with, in each of its entries; empty: it has none."""
    checksums: bytes = b""
    """Of each record as it was received, where the producer has numbers but no secret; see `Digests`."""
    tenant: str = ""
    """Whose records these are; empty: the root tenant's. `producer` begins with it."""


class StoredBatch(msgspec.Struct, frozen=True):
    """One entry as a sink reads it."""

    position: int
    """Where the entry begins."""
    next_position: int
    """Where to read on once it is delivered; what a cursor stores."""
    header: EntryHeader
    sections: bytes

    @property
    def producer(self) -> str:
        """As EntryHeader.producer."""
        return self.header.producer

    @property
    def tenant(self) -> str:
        """As EntryHeader.tenant."""
        return self.header.tenant

    @property
    def first_seq(self) -> int:
        """As EntryHeader.first_seq."""
        return self.header.first_seq

    @property
    def count(self) -> int:
        """As EntryHeader.count."""
        return self.header.count

    @property
    def record_count(self) -> int:
        """How many lines `unpack_records` returns."""
        return self.header.record_count

    @property
    def received_unix_nano(self) -> int:
        """When the collector took it in, by its own clock."""
        return self.header.received_unix_nano

    def unpack_records(self) -> bytes:
        """The redacted records: one JSON object per line, each line ended by a newline."""
        packed = self.sections[: self.header.records_bytes]
        if self.header.encoding is Encoding.ZSTD:
            return unpack(packed, self.header.unpacked_bytes)
        return packed

    def unpack_quarantine(self) -> bytes:
        """Records that were rejected, as lines of {"timestamp", "level", "msg", "service", "reason",
        "producer", "seq", "text"} with secrets replaced; empty for nearly every batch."""
        packed = self.sections[self.header.records_bytes : len(self.sections) - self.header.held_bytes]
        return zstandard.ZstdDecompressor().decompress(packed) if packed else b""

    @property
    def held_section(self) -> bytes:
        """The records that are held since this batch, packed; see `held`."""
        return self.sections[len(self.sections) - self.header.held_bytes :]


class EntryError(Exception):
    """The bytes at this place are not a whole, undamaged entry."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(EntryHeader)


def pack(lines: bytes) -> bytes:
    """Compresses a section as one zstd frame that states its content size."""
    return zstandard.ZstdCompressor(level=1).compress(lines)


def unpack(packed: bytes, size_bytes: int) -> bytes:
    """Unpacks one or more zstd frames that hold `size_bytes`; raises EntryError for anything else."""
    try:
        lines = zstandard.ZstdDecompressor().decompress(packed, read_across_frames=False)
        if len(lines) != size_bytes:
            reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
            lines = reader.read(size_bytes + 1)
    except zstandard.ZstdError as error:
        raise EntryError(f"not zstd: {error}") from error
    if len(lines) != size_bytes:
        raise EntryError(f"unpacked to {len(lines)} bytes, expected {size_bytes}")
    return lines


def encode_entry(
    header: EntryHeader, records: bytes, quarantine: bytes = b"", held: bytes = b""
) -> list[bytes]:
    """Returns the pieces to write one after the other; all sections are packed already."""
    head = _encoder.encode(header)
    crc = google_crc32c.extend(google_crc32c.value(head), records)
    rare = [section for section in (quarantine, held) if section]
    for section in rare:
        crc = google_crc32c.extend(crc, section)
    prefix = _PREFIX.pack(MAGIC, crc, len(head), len(records) + sum(map(len, rare)))
    return [prefix + head, records, *rare]


def entry_bytes(data: bytes | memoryview, offset: int) -> int:
    """Whole length of the entry that begins at `offset`; raises EntryError where none begins."""
    if len(data) - offset < PREFIX_BYTES:
        raise EntryError("cut off in its prefix")
    magic, _, head_bytes, section_bytes = _PREFIX.unpack_from(data, offset)
    if magic != MAGIC:
        raise EntryError("no entry begins here")
    return int(PREFIX_BYTES + head_bytes + section_bytes)


def decode_entry(data: bytes | memoryview, offset: int, position: int) -> StoredBatch:
    """Reads the entry at `offset` of `data`, which stands at `position` of the journal.

    Raises EntryError if it is cut off or damaged.
    """
    size = entry_bytes(data, offset)
    if len(data) - offset < size:
        raise EntryError("cut off")
    _, crc, head_bytes, _ = _PREFIX.unpack_from(data, offset)
    body = bytes(data[offset + PREFIX_BYTES : offset + size])
    if google_crc32c.value(body) != crc:
        raise EntryError("its checksum does not match")
    try:
        header = _decoder.decode(body[:head_bytes])
    except msgspec.DecodeError as error:
        raise EntryError(f"its header cannot be read: {error}") from error
    return StoredBatch(position, position + size, header, body[head_bytes:])
