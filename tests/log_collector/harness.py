"""A real collector on port 0 in this process, and a plain client of its wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import google_crc32c
import grpc.aio
import zstandard
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import log_collector_service_pb2_grpc as pb_grpc
from telecine.logs.v1 import logs_pb2
from telecine.settings.loading import Loaded, load_config

from log_collector.app import CollectorService
from log_collector.config import CollectorConfig
from log_collector.journal import Journal, JournalLimits
from service_host.host import Host, running

PREFIX = "TEST_COLLECTOR_"


class Collector:
    """A running collector."""

    def __init__(self, service: CollectorService, address: str, http: str = "") -> None:
        self.service = service
        self.address = address
        self.http = http
        """Of the HTTP port; empty: it is off."""

    @property
    def journal(self) -> Journal:
        return self.service._journal

    @property
    def bytes_under_way(self) -> int:
        """Bytes of batches that the intake has taken and not finished."""
        return self.service._budget.used_bytes

    @property
    def is_costly_lane_busy(self) -> bool:
        return self.service._lanes.is_costly_lane_busy

    @property
    def follower_count(self) -> int:
        return self.service._reading.follower_count

    def records(self) -> list[dict[str, Any]]:
        """Everything in the journal, in its order."""
        return records_of(self.journal)

    def quarantined(self) -> list[dict[str, Any]]:
        return [json.loads(x) for b in batches_of(self.journal) for x in b.unpack_quarantine().splitlines()]


def loaded(data_dir: Path, path: Path | None = None, **settings: object) -> Loaded[CollectorConfig]:
    """A configuration; `a__b=1` sets a.b."""
    overrides = {key.replace("__", "."): value for key, value in settings.items()}
    overrides = {
        "host.listen": "127.0.0.1:0",
        "host.drain_seconds": 2,
        "host.stop_grace_seconds": 0.5,
    } | overrides
    overrides |= {"data_dir": data_dir}
    return load_config(CollectorConfig, prefix=PREFIX, path=path, environ={}, overrides=overrides)


@asynccontextmanager
async def collector(data_dir: Path, path: Path | None = None, **settings: object) -> AsyncIterator[Collector]:
    """A collector that serves while the body runs."""
    configuration = loaded(data_dir, path, **settings)
    service = CollectorService(configuration)
    async with running(Host(service, configuration.value.host)) as listening:
        yield Collector(service, listening.address, listening.http)


@asynccontextmanager
async def stub(address: str) -> AsyncIterator[pb_grpc.LogCollectorServiceAsyncStub]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield pb_grpc.LogCollectorServiceStub(channel)


def record(number: int = 0, /, **fields: object) -> dict[str, object]:
    """A record as the SDK writes it: leading fields first."""
    timestamp = f"2026-11-21T03:51:14.{number:06d}Z"
    leading = {"timestamp": timestamp, "level": "INFO", "service": "worker", "msg": "polled"}
    return {**leading, "n": number, **fields}


def lines_of(records: Sequence[object]) -> bytes:
    """Newline-delimited JSON; bytes pass as they are."""
    return b"".join(
        (r if isinstance(r, bytes) else json.dumps(r, separators=(",", ":")).encode()) + b"\n"
        for r in records
    )


def batch(first_seq: int, records: Sequence[object], /, **changes: Any) -> pb.ShipRequest:
    """A sound batch of producer "p" and service "worker"; `changes` overwrite its fields."""
    packed = zstandard.ZstdCompressor(level=1).compress(lines_of(records))
    fields: dict[str, Any] = {
        "producer": "p",
        "first_seq": first_seq,
        "count": len(records),
        "resource": logs_pb2.Resource(service="worker"),
        "records": packed,
        "encoding": logs_pb2.ENCODING_ZSTD,
    } | changes
    fields.setdefault("crc32c", google_crc32c.value(fields["records"]))
    return pb.ShipRequest(batch=logs_pb2.Batch(**fields))


def numbered(first_seq: int, count: int = 3, /, **changes: Any) -> pb.ShipRequest:
    """A batch whose records' field n is their sequence number."""
    return batch(first_seq, [record(first_seq + i) for i in range(count)], **changes)


def acting_for(tenant: str) -> tuple[tuple[str, str], ...]:
    """The metadata with which an administrator acts for a tenant; empty: for its own."""
    return (("telecine-tenant", tenant),) if tenant else ()


async def ship(address: str, *requests: pb.ShipRequest, tenant: str = "") -> list[pb.ShipResponse]:
    """Sends all, ends the client's side, returns all answers."""
    async with stub(address) as client:
        call = client.Ship(iter(requests), metadata=acting_for(tenant))
        return [answer async for answer in call]


def last_acknowledged(answers: Sequence[pb.ShipResponse]) -> int:
    """Highest sequence number that was acknowledged; 0: none."""
    return max((a.acknowledged.last_seq for a in answers if a.HasField("acknowledged")), default=0)


def batches_of(journal: Journal) -> list[Any]:
    found: list[Any] = []
    position = journal.oldest_position
    while batches := journal.read(position, 1 << 20):
        found += batches
        position = batches[-1].next_position
    return found


def records_of(journal: Journal) -> list[dict[str, Any]]:
    return [json.loads(line) for b in batches_of(journal) for line in b.unpack_records().splitlines()]


def stored_records(data_dir: Path) -> list[dict[str, Any]]:
    """What a collector that is gone left in its journal."""

    async def read() -> list[dict[str, Any]]:
        journal = await Journal.open(data_dir / "journal", JournalLimits())
        try:
            return records_of(journal)
        finally:
            await journal.close()

    return asyncio.run(read())
