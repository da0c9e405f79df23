"""A journal that release 0.1.0 wrote is read on, and its producers go on where they were."""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import msgspec

from log_collector.journal import Encoding, Journal, JournalLimits, Origin, Verdict
from log_collector.journal.entry import MAGIC
from tests.log_collector.harness import records_of


class FormerHeader(msgspec.Struct, array_like=True):
    """EntryHeader as of 0.1.0."""

    producer: str
    first_seq: int
    count: int
    received_unix_nano: int
    record_count: int
    accepted_count: int
    records_bytes: int
    encoding: int
    unpacked_bytes: int
    lost_before: int = 0
    dropped: dict[str, int] = {}
    origin: Origin = Origin()
    uids: bytes = b""
    held: int = 0
    held_bytes: int = 0
    given: bytes = b""


class FormerProducer(msgspec.Struct, array_like=True):
    """Producer as of 0.1.0."""

    durable_seq: int
    reserved_seq: int
    lost: int
    received_unix_nano: int
    origin: Origin


class FormerSnapshot(msgspec.Struct, array_like=True):
    """Snapshot as of 0.1.0."""

    position: int
    producers: dict[str, FormerProducer]
    uids_old: bytes = b""
    uids_young: bytes = b""
    held: list[tuple[int, bytes]] = []


def former_entry(producer: str, first_seq: int, lines: bytes) -> bytes:
    count = lines.count(b"\n")
    header = FormerHeader(
        producer, first_seq, count, 1, count, count, len(lines), Encoding.IDENTITY, len(lines)
    )
    body = msgspec.msgpack.encode(header) + lines
    head_bytes = len(body) - len(lines)
    crc = google_crc32c.value(body)
    return (
        MAGIC
        + crc.to_bytes(4, "little")
        + head_bytes.to_bytes(4, "little")
        + len(lines).to_bytes(4, "little")
        + body
    )


async def test_records_and_places_of_a_former_journal_are_taken_over(tmp_path: Path) -> None:
    base = 5000
    data = former_entry("p", 11, b'{"n":11}\n{"n":12}\n') + former_entry("q", 1, b'{"n":1}\n')
    (tmp_path / f"{base:020d}.segment").write_bytes(data)
    (tmp_path / "durable").write_bytes((base + len(data)).to_bytes(8, "little"))
    known = {"p": FormerProducer(10, 10, 0, 1, Origin("worker")), "old": FormerProducer(7, 7, 2, 1, Origin())}
    (tmp_path / "known.snapshot").write_bytes(msgspec.msgpack.encode(FormerSnapshot(base, known)))
    journal = await Journal.open(tmp_path, JournalLimits())
    try:
        assert list(journal.damages) == []
        assert [record["n"] for record in records_of(journal)] == [11, 12, 1]
        assert journal.admit("p", 13, 1).verdict is Verdict.NEW
        assert journal.admit("q", 2, 1).verdict is Verdict.NEW
        assert journal.admit("old", 8, 1).verdict is Verdict.NEW
        assert journal.producers.resume_seq("p") == 12
        assert journal.producers.proof_for("p", b"") == b""
        assert journal.producers.proof_for("p", b"x" * 32) is None
    finally:
        await journal.close()
