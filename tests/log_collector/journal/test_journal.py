"""The journal keeps what it acknowledged, once, in order, within its bounds."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from log_collector.journal import (
    UNSEQUENCED,
    Encoding,
    Journal,
    JournalFailedError,
    JournalFullError,
    JournalLimits,
    NewBatch,
    Verdict,
)
from log_collector.journal.entry import pack
from log_collector.journal.places import segment_head

LIMITS = JournalLimits(size_bytes=1_000_000, segment_bytes=10_000)


def batch(
    first_seq: int, count: int = 2, producer: str = "p", text: str = "x", lost_before: int = 0
) -> NewBatch:
    lines = b"".join(b'{"seq":%d,"text":"%s"}\n' % (first_seq + i, text.encode()) for i in range(count))
    return NewBatch(
        producer=producer,
        first_seq=first_seq,
        count=count,
        received_unix_nano=1,
        record_count=count,
        accepted_count=count,
        records=pack(lines),
        encoding=Encoding.ZSTD,
        unpacked_bytes=len(lines),
        lost_before=lost_before,
    )


def numbers(journal: Journal, position: int = 0) -> list[int]:
    found = []
    while batches := journal.read(position, 4096):
        found += [stored.first_seq for stored in batches]
        position = batches[-1].next_position
    return found


async def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    await asyncio.gather(*(journal.append(batch(1 + 2 * i)) for i in range(300)))
    assert numbers(journal) == [1 + 2 * i for i in range(300)]
    first = journal.read(0, 1)[0]
    assert first.unpack_records() == b'{"seq":1,"text":"x"}\n{"seq":2,"text":"x"}\n'
    await journal.close()


async def test_another_process_finds_everything_that_was_durable(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    await journal.append(batch(1))
    await journal.close()
    again = await Journal.open(tmp_path, LIMITS)
    assert again.admit("p", 1, 2).verdict is Verdict.DUPLICATE
    assert again.admit("p", 3, 1).verdict is Verdict.NEW
    await again.append(batch(3))
    assert numbers(again) == [1, 3]
    await again.close()


async def test_a_hole_that_was_not_declared_is_out_of_order(tmp_path: Path) -> None:
    """fluent/fluent-bit#12384: batch 1 answered "later", batch 2 taken, batch 1 lost."""
    journal = await Journal.open(tmp_path, LIMITS)
    verdict = journal.admit("p", 3, 2)
    assert (verdict.verdict, verdict.expected_seq) == (Verdict.OUT_OF_ORDER, 1)
    assert journal.admit("p", 3, 2, lost_before=2).verdict is Verdict.NEW
    await journal.append(batch(3, lost_before=2))
    assert dict(journal.producers.newest(1))["p"].lost == 2
    await journal.close()


async def test_an_overlap_says_how_many_records_are_stored(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    await journal.append(batch(1, 4))
    verdict = journal.admit("p", 3, 5)
    assert (verdict.verdict, verdict.skip) == (Verdict.OVERLAP, 2)
    await journal.close()


async def test_a_torn_tail_costs_only_the_tail(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    for i in range(3):
        await journal.append(batch(1 + 2 * i))
    await journal.close()
    segment = next(tmp_path.glob("*.segment"))
    with segment.open("ab") as file:
        file.write(segment.read_bytes()[:50])
    again = await Journal.open(tmp_path, LIMITS)
    assert [damage.was_acknowledged for damage in again.damages] == [False]
    assert numbers(again) == [1, 3, 5]
    await again.append(batch(7))
    assert numbers(again) == [1, 3, 5, 7]
    await again.close()


async def test_rot_in_the_middle_is_reported_and_read_around(tmp_path: Path) -> None:
    """vectordotdev/vector#18336: a corrupt disk buffer must not stop the start."""
    journal = await Journal.open(tmp_path, LIMITS)
    for i in range(3):
        await journal.append(batch(1 + 2 * i))
    middle = journal.read(0, 100_000)[1]
    await journal.close()
    segment = next(tmp_path.glob("*.segment"))
    with segment.open("r+b") as file:
        file.seek(middle.position + 30)
        file.write(b"????")
    again = await Journal.open(tmp_path, LIMITS)
    assert [damage.was_acknowledged for damage in again.damages] == [True]
    assert numbers(again) == [1, 5]
    assert numbers(again, middle.position) == [5]
    await again.close()


async def test_it_refuses_beyond_its_limit_and_takes_again_after_a_trim(tmp_path: Path) -> None:
    """fluent/fluent-bit#9115"""
    limits = JournalLimits(size_bytes=20_000, segment_bytes=4_000)
    journal = await Journal.open(tmp_path, limits)
    seq = 1
    while not journal.is_full:
        await journal.append(batch(seq, text=os.urandom(400).hex()))
        seq += 2
    with pytest.raises(JournalFullError):
        journal.append(batch(seq))
    await journal.trim(journal.durable_position)
    assert journal.size_bytes < 10_000
    await journal.append(batch(seq))
    await journal.close()


async def test_what_was_trimmed_is_still_known_as_duplicate_after_a_restart(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, JournalLimits(size_bytes=100_000, segment_bytes=300))
    for i in range(20):
        await journal.append(batch(1 + 2 * i))
    assert await journal.trim(journal.durable_position) > 0
    oldest = journal.oldest_position
    # A segment begins with a head of its own.
    assert journal.read(0, 1)[0].position == oldest + len(segment_head(oldest)) > len(segment_head(0))
    await journal.close()
    again = await Journal.open(tmp_path, LIMITS)
    assert again.admit("p", 1, 40).verdict is Verdict.DUPLICATE
    assert again.admit("p", 41, 1).verdict is Verdict.NEW
    await again.close()


async def test_after_a_full_disk_nothing_is_kept_around_the_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    await journal.append(batch(1))
    full = [True]
    write = os.pwritev

    def pwritev(fd: int, pieces: list[bytes], offset: int) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, pieces, offset)

    monkeypatch.setattr(os, "pwritev", pwritev)
    outcomes = await asyncio.gather(
        journal.append(batch(3)), journal.append(batch(5)), return_exceptions=True
    )
    assert all(isinstance(o, JournalFailedError) and o.is_disk_full for o in outcomes)
    assert journal.admit("p", 5, 2).verdict is Verdict.OUT_OF_ORDER
    full[0] = False
    await journal.append(batch(3))
    await journal.append(batch(5))
    assert numbers(journal) == [1, 3, 5]
    await journal.close()


async def test_waiting_ends_with_the_next_durable_batch(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    waiting = asyncio.create_task(journal.wait_for_more(journal.durable_position))
    await journal.append(batch(1))
    await asyncio.wait_for(waiting, 5)
    await journal.close()


async def test_waiting_ends_when_the_journal_closes(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    waiting = asyncio.create_task(journal.wait_for_more(journal.durable_position))
    await asyncio.sleep(0)
    await journal.close()
    await asyncio.wait_for(waiting, 5)


async def test_a_uid_is_known_from_the_moment_its_record_is_on_its_way(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS)
    key = b"0123456789abcdef"
    sent = NewBatch("otlp:a", UNSEQUENCED, 1, 1, 1, 1, b"{}\n", Encoding.IDENTITY, 3, uids=key)
    future = journal.append(sent)
    assert key in journal.uids
    await future
    await journal.close()
    again = await Journal.open(tmp_path, LIMITS)
    assert key in again.uids
    await again.close()


async def test_a_journal_whose_files_are_gone_begins_behind_every_cursor(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, LIMITS, start_position=5_000)
    await journal.append(batch(1))
    assert journal.read(5_000, 1)[0].first_seq == 1
    await journal.close()
