"""Query, Tail and GetJobStory: what was acknowledged is found, in order, page by page, and as it arrives."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.journal.ownership import shown_producer
from service_host.auth.key_file import new_key, write_keys
from service_host.auth.scopes import Scope
from tests.eventually import eventually_async
from tests.log_collector.harness import Collector, batch, collector, numbered, record, ship, stub

Filter = logs_pb2.RecordFilter


async def delivered(running: Collector) -> None:
    runner = running.service._fanout.runners["file"]
    await eventually_async(lambda: runner.is_caught_up and runner.accepted)


async def numbers(running: Collector, wanted: Filter | None = None, **options: Any) -> list[int]:
    """The numbers of all records, over all pages."""
    found: list[int] = []
    token = ""
    async with stub(running.address) as client:
        while True:
            answer = await client.Query(pb.QueryRequest(filter=wanted, page_token=token, **options))
            found += [json.loads(line)["n"] for line in answer.records]
            token = answer.next_page_token
            if not token:
                return found


MIXED = [
    record(1, job_id="a", stage="encode:output", logger="x.y"),
    record(2, job_id=42, level="WARNING", stage="encode:verify", duration_ms=700),
    record(3, service="api", level="ERROR", msg="Boom über alles", error_type="TimeoutError"),
    record(4, logger="x.yz", stage="provider:status", note='say "hi"'),
    record(5, level="DEBUG", request_id="r-1"),
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), [5, 4, 3, 2, 1]),
        (Filter(min_level=logs_pb2.LEVEL_WARNING), [3, 2]),
        (Filter(min_level=logs_pb2.LEVEL_ERROR), [3]),
        (Filter(min_level=logs_pb2.LEVEL_INFO), [4, 3, 2, 1]),
        (Filter(services=["api"]), [3]),
        (Filter(ids={"job_id": "42"}), [2]),
        (Filter(ids={"request_id": "r-1"}), [5]),
        (Filter(stages=["encode:*"]), [2, 1]),
        (Filter(stages=["encode:verify", "provider:status"]), [4, 2]),
        (Filter(loggers=["x.y"]), [1]),
        (Filter(loggers=["x"]), [4, 1]),
        (Filter(text="BOOM"), [3]),
        (Filter(text="ÜBER"), [3]),
        (Filter(text="nowhere"), []),
        (
            Filter(expression='level >= WARNING and (duration_ms > 500 or error_type contains "timeout")'),
            [3, 2],
        ),
        (Filter(expression="not (n in (1, 2, 3))"), [5, 4]),
    ],
)
async def test_every_filter_finds_what_it_says(tmp_path: Path, wanted: Filter, expected: list[int]) -> None:
    async with collector(tmp_path) as running:
        await ship(running.address, batch(1, MIXED))
        await delivered(running)
        assert await numbers(running, wanted) == expected
        assert await numbers(running, wanted, order=pb.SORT_ORDER_OLDEST_FIRST) == expected[::-1]


async def test_times_begin_with_since_and_end_before_until(tmp_path: Path) -> None:
    async with collector(tmp_path) as running:
        await ship(running.address, numbered(1, 9))
        await delivered(running)
        wanted = Filter()
        wanted.since.FromJsonString("2026-11-21T03:51:14.000003Z")
        wanted.until.FromJsonString("2026-11-21T03:51:14.000007Z")
        assert await numbers(running, wanted) == [6, 5, 4, 3]


@pytest.mark.parametrize("order", [pb.SORT_ORDER_NEWEST_FIRST, pb.SORT_ORDER_OLDEST_FIRST])
async def test_pages_over_rotated_files_show_each_record_once(tmp_path: Path, order: Any) -> None:
    settings = {"files__services__rotate_bytes": 5_000, "files__upkeep_seconds": 0.05}
    async with collector(tmp_path, **settings) as running:
        for first in range(1, 501, 50):
            await ship(running.address, numbered(first, 50))
        # Late: older times behind newer ones.
        await ship(running.address, numbered(1, 30, producer="late", first_seq=1))
        await delivered(running)
        found = await numbers(running, page_size=7, order=order)
    expected = sorted([*range(1, 501), *range(1, 31)], reverse=order == pb.SORT_ORDER_NEWEST_FIRST)
    assert found == expected


@pytest.mark.parametrize(
    "request_",
    [
        pb.QueryRequest(filter=Filter(expression="level >")),
        pb.QueryRequest(filter=Filter(ids={"nonsense": "1"})),
        pb.QueryRequest(page_token="???"),
        pb.QueryRequest(page_token="abcd"),
        pb.QueryRequest(page_size=-1),
    ],
)
async def test_a_bad_question_is_answered_with_what_is_wrong(tmp_path: Path, request_: Any) -> None:
    async with collector(tmp_path) as running, stub(running.address) as client:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await client.Query(request_)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_page_token_of_another_filter_is_refused(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, stub(running.address) as client:
        await ship(running.address, numbered(1, 9))
        await delivered(running)
        token = (await client.Query(pb.QueryRequest(page_size=2))).next_page_token
        with pytest.raises(grpc.aio.AioRpcError, match="another filter"):
            await client.Query(pb.QueryRequest(page_token=token, filter=Filter(text="x")))


async def read(call: Any, until: Callable[[list[int]], bool]) -> list[int]:
    found: list[int] = []
    while not until(found):
        answer = await asyncio.wait_for(call.read(), 20)
        found += [json.loads(line)["n"] for line in answer.records]
    return found


async def test_tail_shows_the_last_ones_and_then_everything_once(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, stub(running.address) as client:
        await ship(running.address, numbered(1, 9))
        call = client.Tail(pb.TailRequest(last=3))
        assert await read(call, lambda found: len(found) >= 3) == [7, 8, 9]
        for first in range(10, 60, 10):
            await ship(running.address, numbered(first, 10))
        assert await read(call, lambda found: 59 in found) == list(range(10, 60))
        call.cancel()


async def test_tail_filters_and_ends_with_the_server(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, stub(running.address) as client:
        call = client.Tail(pb.TailRequest(filter=Filter(min_level=logs_pb2.LEVEL_ERROR)))
        await eventually_async(lambda: running.follower_count == 1)
        await ship(running.address, batch(1, MIXED))
        assert await read(call, bool) == [3]
        running.service._draining.set()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_too_many_followers_are_sent_away(tmp_path: Path) -> None:
    async with collector(tmp_path, reading__followers=1) as running, stub(running.address) as client:
        first = client.Tail(pb.TailRequest())
        await eventually_async(lambda: running.follower_count == 1)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await client.Tail(pb.TailRequest()).read()
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        first.cancel()


async def test_one_tenant_has_half_of_the_followers_places(tmp_path: Path) -> None:
    keys, opened = [], []
    for tenant in ("a", "b"):
        key, stored = new_key(
            tenant, tenant, (Scope.LOGS_READ,), created_at=datetime.datetime.now(datetime.UTC)
        )
        keys.append(stored)
        opened.append((("authorization", f"Bearer {key}"),))
    write_keys(tmp_path / "keys.json", tuple(keys))
    settings = {"reading__followers": 4, "host__auth__keys_file": tmp_path / "keys.json"}
    async with collector(tmp_path / "data", **settings) as running, stub(running.address) as client:
        held = [client.Tail(pb.TailRequest(), metadata=opened[0]) for _ in range(2)]
        await eventually_async(lambda: running.follower_count == 2)
        with pytest.raises(grpc.aio.AioRpcError, match="2 callers follow already"):
            await client.Tail(pb.TailRequest(), metadata=opened[0]).read()
        held.append(client.Tail(pb.TailRequest(), metadata=opened[1]))
        await eventually_async(lambda: running.follower_count == 3)
        for each in held:
            each.cancel()


async def test_a_job_is_reported_from_end_to_end(tmp_path: Path) -> None:
    """One job across services: stages, attempts, errors, and that a producer declared records lost."""
    api = [record(1, job_id="j", service="api", stage="pipeline:start")]
    worker = [
        record(2, job_id="j", stage="encode:output", attempt=0, level="ERROR"),
        record(3, job_id="j", stage="encode:output", attempt=1, duration_ms=2500),
    ]
    async with collector(tmp_path) as running, stub(running.address) as client:
        await ship(running.address, batch(1, api, producer="api-1"))
        await ship(running.address, batch(1, worker[:1]), batch(5, worker[1:], lost_before=3))
        await delivered(running)
        story = await client.GetJobStory(pb.GetJobStoryRequest(job_id="j"))
        assert [json.loads(line)["n"] for line in story.records] == [1, 2, 3]
        assert [(s.stage, s.service, s.attempt, s.errors) for s in story.stages] == [
            ("pipeline:start", "api", 0, 0),
            ("encode:output", "worker", 0, 1),
            ("encode:output", "worker", 1, 0),
        ]
        assert story.stages[2].duration.ToMilliseconds() == 2500
        assert (story.record_count, story.expected_record_count, story.error_count) == (3, 6, 1)
        assert story.last_attempt == 1
        assert [(r.producer, r.records, r.missing) for r in story.receipts] == [
            (shown_producer("p"), 2, 3),
            (shown_producer("api-1"), 1, 0),
        ]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await client.GetJobStory(pb.GetJobStoryRequest(job_id="other"))
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_stats_show_every_sink(tmp_path: Path) -> None:
    async with collector(tmp_path) as running, stub(running.address) as client:
        await ship(running.address, numbered(1, 9))
        await delivered(running)
        (sink,) = (await client.GetStats(pb.GetStatsRequest())).sinks
        assert (sink.name, sink.kind, sink.accepted, sink.delivered, sink.buffered) == (
            "file",
            "file",
            9,
            9,
            0,
        )
        assert not sink.is_broken
