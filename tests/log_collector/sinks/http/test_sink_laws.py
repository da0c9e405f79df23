"""The laws of sinks over HTTP, whatever fails and whenever the collector dies."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_collector.journal import StoredBatch
from log_collector.sinks.building import _wire
from log_collector.sinks.http.dead_letters import DeadLetters
from log_collector.sinks.http.door import HttpResponse, Request
from log_collector.sinks.http.sink import HttpSink, Limits
from log_collector.sinks.journal_record import read_records
from log_collector.sinks.sink import SinkError
from log_collector.sinks.wanted import wanted
from tests.log_collector.harness import record
from tests.log_collector.sinks.driving import configured, stored
from tests.log_collector.sinks.listener import Heard
from tests.log_collector.sinks.services import FakeElasticsearch, FakeLoki

SETTINGS: dict[str, dict[str, Any]] = {
    "elasticsearch": {"url": "http://x", "expression": "n != 4"},
    "loki": {"url": "http://x", "expression": "n != 4"},
}


class UnreliableDoor:
    """Takes each fault of a script in turn, then none: lost on the way there or back, or refused."""

    def __init__(self, service: Any, faults: Iterator[str]) -> None:
        self.service = service
        self.faults = faults

    def post(self, request: Request) -> HttpResponse:
        fault = next(self.faults, "")
        if fault == "never sent":
            raise SinkError("lost")
        if fault in ("503", "429", "413"):
            return HttpResponse(int(fault), {"retry-after": "0"})
        reply = self.service(Heard(request.url, request.headers, request.body, 0))
        if fault == "answer lost":
            raise SinkError("lost")
        return HttpResponse(reply.status, reply.headers, reply.body)

    def close(self) -> None:
        """Nothing to do."""


FAULTS = st.lists(
    st.sampled_from(["", "never sent", "answer lost", "503", "429", "crash", "413"]), max_size=25
)
BATCHES = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", SETTINGS)
@given(sizes=BATCHES, faults=FAULTS, reads=st.lists(st.integers(1, 4), min_size=1), limit=st.integers(1, 6))
@settings(max_examples=150)
def test_each_record_is_there_once_or_is_counted_and_kept_as_refused(
    kind: str, sizes: list[int], faults: list[str], reads: list[int], limit: int
) -> None:
    numbers = iter(range(sum(sizes)))
    journal = [
        stored([record(next(numbers)) for _ in range(size)], position=1000 * i)
        for i, size in enumerate(sizes)
    ]
    service: Any = FakeElasticsearch() if kind == "elasticsearch" else FakeLoki()
    if kind == "elasticsearch":
        service.judge = lambda d: (400, "bad") if d["numeric_labels"]["n"] % 7 == 5 else None
    else:
        service.refuses = lambda nano, _: "max entry size" if int(nano[-9:-3]) % 7 == 5 else ""
    with tempfile.TemporaryDirectory() as directory:
        counted = run(kind, journal, service, faults, reads, limit, Path(directory) / "dead")
        kept = (Path(directory) / "dead").read_bytes().count(b"\n") if counted["bad"] else 0
    wanted_numbers = set(range(sum(sizes))) - {4}
    lost_to_size = counted["too_large"]
    refused = {n for n in wanted_numbers if n % 7 == 5}
    there = there_of(kind, service)
    assert max(there.values(), default=1) == 1
    assert set(there) <= wanted_numbers - refused
    assert len(there) >= len(wanted_numbers - refused) - lost_to_size
    assert counted["delivered"] + counted["bad"] + lost_to_size == len(wanted_numbers)
    assert counted["filtered"] == (sum(sizes) > 4)
    assert kept >= counted["bad"]


def run(
    kind: str,
    journal: list[StoredBatch],
    service: Any,
    faults: list[str],
    reads: list[int],
    limit: int,
    dead: Path,
) -> Counter[str]:
    """As the fan-out does: the cursor moves behind a write alone; a crash forgets all but the cursor."""
    script = iter(faults)
    door = UnreliableDoor(service, script)
    counted: Counter[str] = Counter()
    position = turn = 0
    sink = opened(kind, door, limit, dead)
    while position < len(journal):
        batches = journal[position : position + reads[turn % len(reads)]]
        turn += 1
        try:
            sink.recover(b"")
            sink.prepare(batches)
            written = sink.write()
        except SinkError:
            if next(script, "") == "crash":
                sink = opened(kind, door, limit, dead)
            # What is read of the journal never becomes less while nothing moves.
            reads = [max(len(batches), *reads)]
            continue
        assert written.delivered + sum(written.dropped.values()) == sum(b.record_count for b in batches)
        counted["delivered"] += written.delivered
        for reason, count in written.dropped.items():
            counted["bad" if reason in ("bad", "line_too_long") else reason] += count
        position += len(batches)
    return counted


def opened(kind: str, door: UnreliableDoor, limit: int, dead: Path) -> HttpSink:
    config = configured(kind, **SETTINGS[kind])
    letters = DeadLetters(dead, 1 << 20)
    return HttpSink(_wire(config), door, Limits(limit, 1 << 20, 60), wanted(config), letters, lambda: 0.0)


def there_of(kind: str, service: Any) -> Counter[int]:
    if kind == "elasticsearch":
        return Counter(d["numeric_labels"]["n"] for d in service.documents.values())
    return Counter(int(m["n"]) for kept in service.entries.values() for m in kept.values())


@given(sizes=BATCHES, skip=st.integers(0, 80))
def test_skipping_reads_on_where_reading_stopped(sizes: list[int], skip: int) -> None:
    journal = [stored([record(0)] * size, position=1000 * i) for i, size in enumerate(sizes)]
    every = [one.id for one in read_records(journal)]
    assert len(set(every)) == sum(sizes)
    assert [one.id for one in read_records(journal, skip)] == every[skip:]
