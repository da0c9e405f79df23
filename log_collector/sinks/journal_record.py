"""The records of journal batches one by one, each with an id that is the same whenever it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from log_collector.expression import Fields
from log_collector.journal import StoredBatch

_BATCH_ID_BYTES: Final = 12
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class JournalRecord(msgspec.Struct, frozen=True, gc=False):
    """One record on its way to a sink."""

    id: str
    """32 hexadecimal digits. Made of the record's place in the journal, never of what it says: a field of
    its own that repeats cannot make two records one."""
    batch_id: str
    """The first 24 of them."""
    index: int
    """Its place in its batch."""
    line: bytes
    fields: Fields | None
    """None: the line cannot be read."""


def read_records(batches: Iterable[StoredBatch], skip: int = 0) -> Iterator[JournalRecord]:
    """Yields the records of batches in their order, without the first `skip`."""
    for batch in batches:
        if skip >= batch.record_count:
            skip -= batch.record_count
            continue
        batch_id = _batch_id(batch)
        lines = batch.unpack_records()[:-1].split(b"\n")
        for index in range(skip, len(lines)):
            line = lines[index]
            yield JournalRecord(f"{batch_id}{index:08x}", batch_id, index, line, _fields(line))
        skip = 0


def _fields(line: bytes) -> Fields | None:
    try:
        return _decode(line)
    except msgspec.MsgspecError:
        return None


def _batch_id(batch: StoredBatch) -> str:
    """Where a batch stands, who sent it, and when it came: a journal that begins anew repeats no id."""
    header = batch.header
    place = f"{header.producer}\n{header.first_seq}\n{header.received_unix_nano}\n{batch.position}"
    return hashlib.blake2b(place.encode("utf-8", "surrogatepass"), digest_size=_BATCH_ID_BYTES).hexdigest()
