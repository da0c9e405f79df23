"""Chunks on their way to the spool: in order, bounded, and refused with a reason when there is no room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from telecine.crc32c import crc32c
from telecine.errors.v1 import error_reason_pb2 as reasons

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.spool.ingest import Ingest
from encoder_service.spool.quota import SpoolSpace
from encoder_service.spool.spool import DiskFullError, Spool
from tests.eventually import eventually_async


def summed(data: bytes) -> tuple[bytes, int]:
    """A chunk as it comes: with its checksum."""
    return data, crc32c(data)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Two writing threads."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


class GatedSpool(Spool):
    """A spool whose disk is slow until the gate opens, or full."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, is_new=True)
        self.gate = threading.Event()
        self.is_full = False
        self.batches: list[int] = []

    def append(  # type: ignore[override]
        self, chunks: list[bytes], sums: list[int], *, is_synced: bool = False
    ) -> None:
        """Waits at the gate."""
        self.gate.wait(10)
        if self.is_full:
            raise DiskFullError
        self.batches.append(len(chunks))
        super().append(chunks, sums, is_synced=is_synced)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[GatedSpool]:
    """An empty spool."""
    spool = GatedSpool(tmp_path / "video.raw")
    yield spool
    spool.gate.set()
    spool.close()


def ingest(spool: Spool, executor: ThreadPoolExecutor, told: list[int], **limits: int) -> Ingest:
    """An ingest with these limits; `told` gets the spool's length at each step."""
    config = EncoderConfig(**{"min_free_bytes": 0, **limits})
    space = SpoolSpace(config.spool_quota_bytes)

    def persisted() -> None:
        told.append(spool.persisted_bytes)

    return Ingest("job", spool, space, executor, config.ingest_limits, persisted, lambda _: told.append(-1))


async def test_chunks_that_gather_while_the_disk_is_slow_go_in_one_write(
    spool: GatedSpool, executor: ThreadPoolExecutor
) -> None:
    told: list[int] = []
    taking = ingest(spool, executor, told)
    for number in range(5):
        await taking.put(*summed(bytes([number])))
    spool.gate.set()
    await taking.drain()
    assert spool.batches == [1, 4]
    assert told == [1, 5]
    assert spool.path.read_bytes() == bytes(range(5))


async def test_a_sender_that_is_faster_than_the_disk_waits(
    spool: GatedSpool, executor: ThreadPoolExecutor
) -> None:
    taking = ingest(spool, executor, [], max_pending_bytes=10)
    await taking.put(*summed(bytes(10)))
    waiting = asyncio.create_task(taking.put(*summed(bytes(10))))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    spool.gate.set()
    await waiting
    await taking.drain()
    assert spool.persisted_bytes == 20


async def test_a_full_quota_refuses_the_chunk_and_keeps_the_rest(
    spool: GatedSpool, executor: ThreadPoolExecutor
) -> None:
    spool.gate.set()
    taking = ingest(spool, executor, [], spool_quota_bytes=10, max_job_bytes=10, max_frame_bytes=1)
    await taking.put(*summed(bytes(10)))
    with pytest.raises(ServiceError) as refused:
        await taking.put(*summed(b"x"))
    assert refused.value.reason == reasons.ERROR_REASON_SPOOL_FULL
    await taking.drain()
    assert spool.persisted_bytes == 10


async def test_a_disk_without_its_reserve_refuses_with_figures(
    spool: GatedSpool, executor: ThreadPoolExecutor
) -> None:
    room = spool.disk_room(None)
    taking = ingest(
        spool, executor, [], min_free_bytes=room.free_bytes + (room.total_bytes - room.free_bytes) // 2
    )
    with pytest.raises(
        ServiceError, match=r"iB of it free, and .*iB have to stay free \(min_free_bytes\)"
    ) as refused:
        await taking.put(*summed(b"x"))
    assert refused.value.reason == reasons.ERROR_REASON_DISK_FULL


async def test_what_no_waiting_changes_is_too_large(spool: GatedSpool, executor: ThreadPoolExecutor) -> None:
    taking = ingest(spool, executor, [], min_free_bytes=1 << 60)
    with pytest.raises(ServiceError, match="could never hold more than 0") as refused:
        await taking.put(*summed(b"x"))
    assert refused.value.reason == reasons.ERROR_REASON_TOO_LARGE


async def test_a_failed_write_is_reported_at_once_and_to_every_later_call(
    spool: GatedSpool, executor: ThreadPoolExecutor
) -> None:
    told: list[int] = []
    spool.is_full = True
    spool.gate.set()
    taking = ingest(spool, executor, told)
    await taking.put(*summed(b"lost"))
    await eventually_async(lambda: told == [-1, 0])
    for call in (taking.drain(), taking.put(*summed(b"more"))):
        with pytest.raises(ServiceError) as refused:
            await call
        assert refused.value.reason == reasons.ERROR_REASON_DISK_FULL
    await taking.close()
