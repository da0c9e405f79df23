"""A collector names its services, ends calls in good order, says that it stopped, and finds at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc.aio
import structlog
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from telecine.logging.shipping.spool import Resource
from telecine.logging.shipping.spool_reader import SpooledBatch
from telecine.logging.shipping.stream import open_ship_stream
from telecine.logs.v1 import log_collector_service_pb2 as pb

from tests.log_collector.harness import batch, collector, record, ship, stub


async def test_reflection_names_every_service_on_the_port(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, grpc.aio.insecure_channel(running.address) as channel:
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        call: Any = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked)
        names = {service.name for service in (await call.read()).list_services_response.service}
    assert "opentelemetry.proto.collector.logs.v1.LogsService" in names
    assert "telecine.logs.v1.LogCollectorService" in names


async def test_a_shipper_that_closes_ends_its_call_in_good_order_and_the_service_says_that_it_stopped(
    tmp_path: Path,
) -> None:
    def close_one(address: str) -> None:
        stream = open_ship_stream(address)
        lines = record(1) if isinstance(record(1), bytes) else json.dumps(record(1)).encode()
        stream.send("p", Resource("worker"), SpooledBatch(1, 1, lines + b"\n", 0))
        while not stream.answers(1.0):
            pass
        stream.close()

    with structlog.testing.capture_logs() as captured:
        async with collector(tmp_path) as running:
            await asyncio.to_thread(close_one, running.address)
    calls = [entry for entry in captured if entry["event"] == "rpc" and entry["method"].endswith("/Ship")]
    assert [call["status"] for call in calls] == ["OK"]
    assert captured[-1]["event"] == "stopped"


async def test_what_is_acknowledged_is_found_by_the_very_next_query(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        for number in range(1, 30):
            await ship(running.address, batch(number, [record(number, job_id="j")]))
            async with stub(running.address) as client:
                found = await client.Query(pb.QueryRequest(page_size=1))
                story = await client.GetJobStory(pb.GetJobStoryRequest(job_id="j"))
            assert json.loads(found.records[0])["n"] == number
            assert story.record_count == number


async def test_the_counters_are_numbers_and_the_law_can_be_read_off_them(tmp_path: Path) -> None:
    from telecine.clients.logs import LogClient

    def counters(address: str) -> Any:
        with LogClient(address) as client:
            return client.stats()

    async with collector(tmp_path) as running:
        await ship(running.address, batch(1, [record(1), b"{oops", record(3)]))
        async with stub(running.address) as client:
            await client.Query(pb.QueryRequest())
        found = await asyncio.to_thread(counters, running.address)
    ingest = found["ingest"]
    assert (ingest["received"], ingest["accepted"], ingest["rejected"]) == (3, 2, 1)
    assert all(type(ingest[name]) is int for name in ("received", "refused", "duplicate", "held"))
    for sink in found["sinks"]:
        assert sink["accepted"] == sum(sink["dropped"].values()) + sink["buffered"] + sink["delivered"]
    assert [type(producer["last_seq"]) for producer in found["producers"]] == [int]
