"""Whatever dies, and when: every acknowledged record is in the journal, once, in its producer's order."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, last_acknowledged, record, ship, stored_records
from tests.log_collector.log_files import records_in
from tests.log_collector.producer import Producer

Make = Callable[..., CollectorProcess]


@pytest.fixture
def make_collector(tmp_path: Path) -> Iterator[Make]:
    """Makes collectors, not started yet; whatever is alive at the end is ended."""
    made: list[CollectorProcess] = []

    def make(**settings: str) -> CollectorProcess:
        keys = {key.replace("__", "."): value for key, value in settings.items()}
        made.append(CollectorProcess(tmp_path / f"data{len(made)}", keys))
        return made[-1]

    yield make
    for collector in made:
        collector.stop()


def produce(collector: CollectorProcess, total: int, names: str = "abc") -> list[Producer]:
    producers = [Producer(collector.address, f"producer-{name}", total) for name in names]
    for producer in producers:
        producer.start()
    return producers


def finish(producers: list[Producer], timeout_seconds: float = 90) -> None:
    for producer in producers:
        producer.join(timeout_seconds)
        assert producer.fault is None, producer.fault
        assert not producer.is_alive(), f"{producer.name} stands at {producer.acknowledged}"


def assert_each_once_in_order(collector: CollectorProcess, producers: int, total: int) -> None:
    """The records carry their number alone, so each number stands once for each producer."""
    numbers = [record["n"] for record in stored_records(collector.data_dir)]
    assert len(numbers) == producers * total
    assert sorted(numbers) == sorted(list(range(1, total + 1)) * producers)


def run_with_kills(collector: CollectorProcess, seed: int, kills: int, total: int) -> None:
    chance = random.Random(seed)
    collector.start()
    producers = produce(collector, total)
    for _ in range(kills):
        goal = min(total, max(p.acknowledged for p in producers) + chance.randint(1, max(2, total // kills)))
        eventually(
            lambda goal=goal: (
                max(p.acknowledged for p in producers) >= goal or all(not p.is_alive() for p in producers)
            )
        )
        collector.kill()
        collector.start()
    finish(producers)
    assert collector.stop() == 0
    assert_each_once_in_order(collector, len(producers), total)


def test_no_record_is_lost_or_doubled_when_the_collector_is_killed(make_collector: Make) -> None:
    """rsyslog/rsyslog#5364, fluent/fluent-bit#4225, OC:docs/rfcs/batching-migration.md"""
    run_with_kills(make_collector(), seed=1, kills=4, total=8_000)


def test_a_kill_between_trims_loses_no_sequence_number(make_collector: Make) -> None:
    """vectordotdev/vector#17644: a disk buffer stuck after a crash."""
    collector = make_collector(
        journal__size_bytes="1MiB", journal__segment_bytes="64KiB", reload_poll_seconds="20ms"
    )
    collector.start()
    producers = produce(collector, 15_000, "a")
    for _ in range(3):
        goal = producers[0].acknowledged + 2_000
        eventually(lambda goal=goal: producers[0].acknowledged >= goal)
        collector.kill()
        collector.start()
    finish(producers)
    assert collector.stop() == 0
    numbers = [record["n"] for record in stored_records(collector.data_dir)]
    assert numbers == list(range(numbers[0], 15_001))


def test_sigterm_under_load_loses_nothing_and_ends_with_zero(make_collector: Make) -> None:
    collector = make_collector()
    collector.start()
    producers = produce(collector, 8_000)
    eventually(lambda: producers[0].acknowledged > 500)
    assert collector.stop() == 0
    collector.start()
    finish(producers)
    assert collector.stop() == 0
    assert_each_once_in_order(collector, 3, 8_000)


def test_a_killed_producer_goes_on_where_it_was_acknowledged(make_collector: Make) -> None:
    collector = make_collector()
    collector.start()
    first = Producer(collector.address, "producer-a", 8_000)
    first.start()
    eventually(lambda: first.acknowledged > 500)
    first.is_stopped = True
    second = Producer(collector.address, "producer-a", 8_000)
    second.start()
    finish([second])
    first.join(30)
    assert collector.stop() == 0
    assert_each_once_in_order(collector, 1, 8_000)


def test_a_reload_under_load_cuts_no_stream_and_loses_no_record(make_collector: Make, tmp_path: Path) -> None:
    """OC:docs/rfcs/partial-reload.md: a reload must not lose what is in memory."""
    config = tmp_path / "collector.json"
    config.write_text("{}")
    collector = make_collector(reload_poll_seconds="1h")
    collector.start(config)
    producers = produce(collector, 15_000)
    eventually(lambda: producers[0].acknowledged > 200)
    for retry, event in ((0.5, "reloaded"), ("nonsense", "not_reloaded"), (1.5, "reloaded")):
        config.write_text(json.dumps({"intake": {"retry_seconds": retry}}))
        said = collector.log().count(f'"configuration_{event}"')
        collector.signal(signal.SIGHUP)
        eventually(lambda event=event, said=said: collector.log().count(f'"configuration_{event}"') > said)
    finish(producers)
    assert [p.reconnects for p in producers] == [0, 0, 0]
    assert collector.stop() == 0
    assert_each_once_in_order(collector, 3, 15_000)


def test_a_kill_loses_no_record_that_a_rule_holds_back(make_collector: Make) -> None:
    """Debug records wait for an error of their job; they are acknowledged, so they wait on the disk."""
    collector = make_collector(selection__flight_recorder__records_per_job="10")
    collector.start()
    debug = [record(n, level="DEBUG", job_id="j") for n in range(1, 9)]
    assert last_acknowledged(asyncio.run(ship(collector.address, batch(1, debug)))) == 8
    collector.kill()
    collector.start()
    collector.kill()
    collector.start()
    error = record(9, level="ERROR", job_id="j")
    assert last_acknowledged(asyncio.run(ship(collector.address, batch(9, [error])))) == 9
    assert collector.stop() == 0
    found = records_in(collector.data_dir / "logs", "jobs/j/job.log")
    assert [r["n"] for r in found] == list(range(1, 10))


def test_a_second_collector_on_the_same_directory_does_not_start(make_collector: Make) -> None:
    collector = make_collector()
    collector.start()
    other = CollectorProcess(collector.data_dir)
    with pytest.raises(AssertionError, match="in use by another collector"):
        other.start()
    other.stop()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(int(os.environ.get("SOAK_SEEDS", "5"))))
def test_soak_of_kills_at_random_instants(make_collector: Make, seed: int) -> None:
    run_with_kills(make_collector(), seed=seed, kills=12, total=40_000)
