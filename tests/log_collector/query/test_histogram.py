"""GetHistogram counts what Query finds, by time and level, and says where it stopped."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from telecine import LogClient, LogFilter
from telecine.exceptions import InvalidRequestError
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.fanout.topology import logs_directory
from log_collector.files.names import files_in
from log_collector.query.histogram import MOST_SECONDS, Histogram
from log_collector.query.scan import TimeIndex
from log_collector.query.selector import Selector
from tests.log_collector.harness import batch, collector, record, ship, stub

BEGIN = datetime(2026, 5, 4, 12, tzinfo=UTC)
LEVELS = ("DEBUG", "INFO", "INFO", "WARNING", "ERROR", "CRITICAL")


def moment(seconds: float) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(BEGIN + timedelta(seconds=seconds))
    return made


def wanted(since: float = 0, until: float = 60, **fields: Any) -> logs_pb2.RecordFilter:
    return logs_pb2.RecordFilter(since=moment(since), until=moment(until), **fields)


RECORDS = [
    record(
        number, level=LEVELS[number % 6], service=("api", "worker")[number % 2],
        timestamp=(BEGIN + timedelta(seconds=number / 10)).isoformat(),
    )
    for number in range(600)
]  # fmt: skip
"""Ten a second for a minute."""


async def test_records_are_counted_by_time_and_level(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        async with stub(running.address) as client:
            await ship(running.address, batch(1, RECORDS))
            listed = await client.Query(pb.QueryRequest(filter=wanted(), page_size=1000))
            assert len(listed.records) == 600

            async def counted(buckets: int = 6, **fields: Any) -> pb.GetHistogramResponse:
                request = pb.GetHistogramRequest(filter=wanted(**fields), buckets=buckets)
                return await client.GetHistogram(request)

            whole = await counted()
            assert whole.is_complete
            assert whole.total == 600
            assert [sum(bucket.counts.values()) for bucket in whole.buckets] == [100] * 6
            assert [bucket.start for bucket in whole.buckets] == [moment(10 * n) for n in range(6)]
            by_level = {level: sum(b.counts[level] for b in whole.buckets) for level in range(7)}
            assert by_level == {0: 0, 1: 0, 2: 100, 3: 200, 4: 100, 5: 100, 6: 100}
            assert (await counted(min_level=logs_pb2.LEVEL_ERROR)).total == 200
            assert (await counted(services=["api"], text="n")).total == 300
            part = await counted(since=10.05, until=20, buckets=3)
            assert (part.total, [sum(b.counts.values()) for b in part.buckets]) == (99, [33, 33, 33])
            assert len((await counted(buckets=0)).buckets) == 60
            for wrong in (-1, 501, 2**31 - 1):
                with pytest.raises(grpc.aio.AioRpcError, match="buckets"):
                    await counted(wrong)
            for ends in ({"since": 5, "until": 5}, {"since": 60, "until": 0}):
                with pytest.raises(grpc.aio.AioRpcError, match="until"):
                    await counted(**ends)
            for half in (logs_pb2.RecordFilter(since=moment(0)), logs_pb2.RecordFilter(until=moment(1))):
                with pytest.raises(grpc.aio.AioRpcError, match="expected a time"):
                    await client.GetHistogram(pb.GetHistogramRequest(filter=half))
        with LogClient(running.address) as client:
            ends = LogFilter(since=BEGIN, until=BEGIN + timedelta(minutes=1))
            found = await asyncio.to_thread(client.histogram, ends, buckets=2)
            with pytest.raises(InvalidRequestError):
                await asyncio.to_thread(client.histogram, LogFilter())
        assert (found.total, found.is_complete) == (600, True)
        assert [start for start, _ in found.buckets] == [BEGIN, BEGIN + timedelta(seconds=30)]
        assert found.buckets[0][1] == {"DEBUG": 50, "INFO": 100, "WARNING": 50, "ERROR": 50, "CRITICAL": 50}
        root = logs_directory(running.service._config)
        ticks = itertools.count(0, MOST_SECONDS)
        request = pb.GetHistogramRequest(filter=wanted())
        cut = Histogram(request, TimeIndex(), None).count(
            files_in(root, ""), Selector(request.filter), lambda: next(ticks)
        )
        assert not cut.is_complete
