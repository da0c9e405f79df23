"""received = rejected + refused + duplicate + accepted; accepted = dropped + held + written, always."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from telecine.logs.v1 import log_collector_service_pb2 as pb

from log_collector.ingest.accounting import Way
from tests.eventually import eventually_async
from tests.log_collector.harness import batch, collector, record, ship
from tests.log_collector.log_files import records_in

RULES = {
    "selection__flight_recorder__records_per_job": 2,
    "selection__idle_seconds": 0.05,
    "reload_poll_seconds": 0.02,
}

kinds = st.sampled_from(["INFO", "DEBUG", "ERROR", "secret", "not JSON", "wrong type"])
batches = st.tuples(
    st.sampled_from(["a", "b"]), st.integers(1, 30), st.lists(kinds, min_size=1, max_size=8),
    st.sampled_from(["sound", "sound", "sound", "corrupted", "wrong count", "not zstd"]), st.integers(0, 4),
)  # fmt: skip


def line(seq: int, kind: str) -> object:
    if kind == "not JSON":
        return b"{"
    if kind == "wrong type":
        return record(seq, job_id="j", duration_ms={})
    if kind == "secret":
        return record(seq, job_id="j", password="hunter2hunter2")
    return record(seq, job_id="j", level=kind)


def message(producer: str, first: int, content: list[str], fault: str, lost: int) -> pb.ShipRequest:
    changes: dict[str, object] = {"producer": producer, "lost_before": min(lost, first - 1)}
    if fault == "corrupted":
        changes["crc32c"] = 1
    elif fault == "wrong count":
        changes["count"] = len(content) + 1
    elif fault == "not zstd":
        changes["records"] = b"nonsense"
    return batch(first, [line(first + i, kind) for i, kind in enumerate(content)], **changes)


@given(st.lists(batches, max_size=12))
@example([("a", 1, ["DEBUG", "DEBUG", "DEBUG"], "sound", 0), ("a", 3, ["ERROR", "INFO"], "sound", 0)])
@settings(max_examples=25, deadline=None)
def test_every_record_that_came_has_one_fate(sent: list[tuple[str, int, list[str], str, int]]) -> None:
    requests = [message(*one) for one in sent]
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_check(Path(directory), requests))


async def _check(directory: Path, requests: list[pb.ShipRequest]) -> None:
    async with collector(directory, **RULES) as running:
        await ship(running.address, *requests)
        books = running.service._accounting
        assert books.is_balanced()
        assert books.received[Way.SHIP] == sum(request.batch.count for request in requests)
        runner = running.service._fanout.runners["file"]
        await eventually_async(lambda: runner.is_caught_up)
        held = running.service._held_count()
        written = len(records_in(directory / "logs", "worker.log"))
        assert runner.accepted == runner.books.delivered + runner.buffered + runner.books.dropped.total()
        assert books.accepted.total() == written + books.dropped.total() + held
        assert held == len(running.journal.held())
