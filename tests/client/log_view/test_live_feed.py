"""Following a real collector, or its files: through its death, without end, and ended from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine import LogFilter
from telecine.cli.logs.source import open_source
from telecine.log_view.filter_text import parse_filter
from telecine.log_view.live_feed import Connection, LiveFeed
from telecine.log_view.older_pages import OlderPages
from telecine.log_view.record_source import WatchedPlace
from telecine.log_view.record_view import Gap, Item, RecordView
from telecine.log_view.record_window import WindowLimits

from tests.client.tcp_proxy import TcpProxy
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, numbered, record, ship


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path / "data").start()
    yield running
    running.stop()


def server_of(collector: CollectorProcess) -> WatchedPlace:
    address = collector.address
    return WatchedPlace(address, lambda seconds: open_source(address, None, seconds), has_counters=True)


def files_of(collector: CollectorProcess) -> WatchedPlace:
    root = collector.data_dir
    return WatchedPlace(str(root), lambda seconds: open_source(None, root, seconds), has_counters=False)


class Watching:
    """A feed and everything that it has delivered."""

    def __init__(self, place: WatchedPlace, text: str = "", limits: WindowLimits | None = None) -> None:
        self.feed = LiveFeed(place, parse_filter(text), last=100, limits=limits or WindowLimits())
        self.items: list[Item] = []
        self.delivery = self.feed.take()
        self.feed.start()

    def numbers(self) -> list[int]:
        self.delivery = self.feed.take()
        self.items += self.delivery.items
        return [json.loads(item.line)["n"] for item in self.items if isinstance(item, RecordView)]

    def connection(self) -> Connection:
        self.numbers()
        return self.delivery.connection

    def end(self) -> None:
        self.feed.stop()
        assert self.feed.join(10)


def shipped(collector: CollectorProcess, *requests: object) -> None:
    asyncio.run(ship(collector.address, *requests))


@pytest.mark.parametrize("place_of", [server_of, files_of])
def test_stored_records_come_first_then_those_that_arrive(collector: CollectorProcess, place_of) -> None:
    shipped(collector, numbered(1, 3))
    eventually(lambda: list(collector.data_dir.rglob("worker.log")))
    watching = Watching(place_of(collector))
    try:
        eventually(lambda: watching.numbers() == [1, 2, 3])
        assert watching.connection() is Connection.LIVE
        shipped(collector, batch(4, [record(4, level="ERROR"), record(5)]))
        eventually(lambda: watching.numbers() == [1, 2, 3, 4, 5])
        assert watching.delivery.by_level == {"INFO": 4, "ERROR": 1}
    finally:
        watching.end()
    assert watching.connection() is Connection.CLOSED


def test_the_death_of_the_collector_costs_no_record_and_shows_none_twice(collector: CollectorProcess) -> None:
    shipped(collector, numbered(1, 3))
    watching = Watching(server_of(collector))
    try:
        eventually(lambda: watching.numbers() == [1, 2, 3])
        collector.kill()
        eventually(lambda: watching.connection() is Connection.WAITING)
        assert watching.delivery.problem
        collector.start()
        shipped(collector, numbered(4, 2))
        eventually(lambda: watching.numbers() == [1, 2, 3, 4, 5])
        assert watching.delivery.by_level["INFO"] == 5
        assert not [item for item in watching.items if isinstance(item, Gap)]
    finally:
        watching.end()


def test_more_than_one_look_back_during_a_break_is_shown_as_a_gap(collector: CollectorProcess) -> None:
    with TcpProxy(collector.address) as proxy:
        shipped(collector, numbered(1, 3))
        place = WatchedPlace("proxy", lambda seconds: open_source(proxy.address, None, seconds), True)
        watching = Watching(place)
        try:
            eventually(lambda: watching.numbers() == [1, 2, 3])
            proxy.target = "127.0.0.1:1"
            proxy.cut()
            shipped(collector, *(numbered(first, 1000) for first in range(4, 4004, 1000)))
            eventually(lambda: watching.connection() is Connection.WAITING)
            eventually(lambda: "4003" in delivered(collector))
            proxy.target = collector.address
            eventually(lambda: 4003 in watching.numbers(), 30)
        finally:
            watching.end()
    assert watching.numbers() == [1, 2, 3, *range(2004, 4004)]
    assert isinstance(watching.items[3], Gap)
    assert sum(isinstance(item, Gap) for item in watching.items) == 1


def delivered(collector: CollectorProcess) -> str:
    source = open_source(collector.address, None)
    try:
        return str(source.stats()["sinks"][0]["delivered"])
    finally:
        source.close()


def test_a_condition_that_cannot_be_read_is_reported_and_not_tried_again(collector: CollectorProcess) -> None:
    watching = Watching(server_of(collector), 'where:"duration_ms >"')
    try:
        eventually(lambda: watching.connection() is Connection.FAILED)
        assert "expected a value at the end" in watching.delivery.problem
        assert watching.feed.join(5)
    finally:
        watching.end()


def test_nobody_there_is_reported_and_tried_again(collector: CollectorProcess) -> None:
    collector.stop()
    watching = Watching(server_of(collector))
    try:
        eventually(lambda: watching.connection() is Connection.WAITING)
        collector.start()
        eventually(lambda: watching.connection() is Connection.LIVE)
    finally:
        watching.end()


def test_what_nobody_takes_is_bounded_and_counted_in_full(collector: CollectorProcess) -> None:
    watching = Watching(server_of(collector), limits=WindowLimits(records=10))
    try:
        eventually(lambda: watching.connection() is Connection.LIVE)
        shipped(collector, numbered(1, 500))
        eventually(lambda: watching.feed._by_level.total() == 500)
        assert watching.numbers() == list(range(491, 501))
        assert watching.delivery.by_level["INFO"] == 500
    finally:
        watching.end()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path_factory.mktemp("history") / "data").start()
    # Two processes that ship for themselves: their records come in blocks, not in the order of their times.
    evens = [record(n, producer="a") for n in range(2, 2001, 2)]
    odds = [record(n, producer="b") for n in range(1, 2000, 2)]
    shipped(running, batch(1, evens, producer="a"), batch(1, odds, producer="b"))
    source = open_source(running.address, None)
    eventually(lambda: source.stats()["sinks"][0]["delivered"] == 2000)
    source.close()
    yield running
    running.stop()


@pytest.mark.parametrize("place_of", [server_of, files_of])
@pytest.mark.parametrize("held", [0, 1, 150])
def test_older_pages_lead_to_the_beginning_and_repeat_nothing(
    history: CollectorProcess, place_of, held: int
) -> None:
    source = place_of(history).open(10)
    try:
        newest = [RecordView(line, json.loads(line)["timestamp"], 20) for line in source.query(
            LogFilter(), is_oldest_first=False, limit=held or None)][:held]  # fmt: skip
        window = list(reversed(newest))
        pages = OlderPages(source, LogFilter(), window)
        found = [json.loads(view.line)["n"] for view in window]
        while page := pages.next_page(700):
            found = [json.loads(view.line)["n"] for view in page] + found
        assert found == list(range(1, 2001))
        assert pages.is_at_beginning
        assert pages.next_page(10) == []
    finally:
        source.close()


def test_older_pages_keep_to_the_filter(history: CollectorProcess) -> None:
    source = server_of(history).open(10)
    try:
        pages = OlderPages(source, parse_filter("producer=b n<=9"), [])
        assert [json.loads(view.line)["n"] for view in pages.next_page(100)] == [1, 3, 5, 7, 9]
    finally:
        source.close()
