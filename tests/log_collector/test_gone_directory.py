"""A data directory that is not there any more stops acknowledgements, and is not made anew in silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from tests.eventually import eventually_async
from tests.log_collector.harness import Collector, collector, last_acknowledged, numbered, ship, stub

SETTINGS = {"reload_poll_seconds": 0.02}


async def refusal(running: Collector, first_seq: int) -> str:
    answers = await ship(running.address, numbered(first_seq, 3))
    assert last_acknowledged(answers) == 0
    (refused,) = [answer.refused for answer in answers]
    assert 0 < refused.retry_delay.ToMilliseconds() <= 2000
    return logs_pb2.RefusalReason.Name(refused.reason)


@pytest.mark.parametrize("what", ["data", "data/journal"])
async def test_nothing_is_acknowledged_into_a_directory_that_was_removed(tmp_path: Path, what: str) -> None:
    async with collector(tmp_path / "data", **SETTINGS) as running:
        assert last_acknowledged(await ship(running.address, numbered(1, 3))) == 3
        shutil.rmtree(tmp_path / what)
        for _ in range(3):
            assert await refusal(running, 4) == "REFUSAL_REASON_JOURNAL_FAILED"
        # An empty one in its place is somebody else's.
        (tmp_path / what).mkdir()
        assert await refusal(running, 4) == "REFUSAL_REASON_JOURNAL_FAILED"
        assert running.service._accounting.is_balanced()
    assert not list((tmp_path / what).rglob("*.segment"))


async def test_it_is_said_in_health_and_stats_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async with collector(tmp_path / "data", **SETTINGS) as running, stub(running.address) as client:
        await ship(running.address, numbered(1, 3))
        assert running.service.is_admitting()
        (tmp_path / "data").rename(tmp_path / "away")
        await eventually_async(lambda: running.service._condition.is_gone)
        assert not running.service.is_admitting()
        assert (await client.GetStats(pb.GetStatsRequest())).journal.is_gone
        assert await refusal(running, 4) == "REFUSAL_REASON_JOURNAL_FAILED"
        (tmp_path / "away").rename(tmp_path / "data")
        await eventually_async(running.service.is_admitting)
        assert last_acknowledged(await ship(running.address, numbered(4, 3))) == 6
        await eventually_async(lambda: running.service._fanout.runners["file"].is_caught_up)
    assert len((tmp_path / "data" / "logs" / "worker.log").read_bytes().splitlines()) == 6


async def test_the_files_are_not_made_anew_where_the_data_directory_was(tmp_path: Path) -> None:
    async with collector(tmp_path / "data", **SETTINGS) as running:
        await ship(running.address, numbered(1, 3))
        await eventually_async(lambda: running.service._fanout.runners["file"].is_caught_up)
        shutil.rmtree(tmp_path / "data")
        await refusal(running, 4)
        await eventually_async(lambda: running.service._condition.is_gone)
        assert not (tmp_path / "data").exists()


async def test_logs_alone_that_were_removed_are_made_again(tmp_path: Path) -> None:
    async with collector(tmp_path / "data", **SETTINGS) as running:
        await ship(running.address, numbered(1, 3))
        await eventually_async(lambda: running.service._fanout.runners["file"].is_caught_up)
        shutil.rmtree(tmp_path / "data" / "logs")
        assert last_acknowledged(await ship(running.address, numbered(4, 3))) == 6
        await eventually_async(lambda: running.service._fanout.runners["file"].is_caught_up)
    assert len((tmp_path / "data" / "logs" / "worker.log").read_bytes().splitlines()) == 3
