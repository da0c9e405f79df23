"""A sink's place cannot be noted at times: what is written stays, is written once, and is counted."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from log_collector.journal import Cursor, CursorStore
from tests.eventually import eventually_async
from tests.log_collector.harness import collector, numbered, ship
from tests.log_collector.log_files import records_in
from tests.log_collector.sinks.forward.test_forward import forwarding

SHIPMENTS = 30
PER_SHIPMENT = 5


class UnwillingCursors:
    """Cursors on a disk that is full at times: a third of all steps fail, half of these when done."""

    def __init__(self, cursors: CursorStore) -> None:
        self._cursors = cursors
        self._random = random.Random(7)
        self.failures = 0

    def advance(self, sink: str, cursor: Cursor) -> None:
        """Raises sqlite3.OperationalError at times."""
        chance = self._random.random()
        if chance < 1 / 6:
            self._fail()
        self._cursors.advance(sink, cursor)
        if chance > 5 / 6:
            self._fail()

    def _fail(self) -> None:
        self.failures += 1
        raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("sink", ["file", "forward.central"])
async def test_a_sink_whose_place_cannot_be_noted_keeps_each_record_once(tmp_path: Path, sink: str) -> None:
    """The undo state of the write before had been applied, at a place behind that write."""
    async with collector(tmp_path / "central") as central:
        config = forwarding(tmp_path / "c.json", central.address)
        async with collector(tmp_path / "edge", config) as edge:
            runner = edge.service._fanout.runners[sink]
            await eventually_async(lambda: runner.is_caught_up)
            cursors = UnwillingCursors(runner._cursors)
            runner._cursors = cursors  # type: ignore[assignment]
            for first in range(1, SHIPMENTS * PER_SHIPMENT, PER_SHIPMENT):
                await ship(edge.address, numbered(first, PER_SHIPMENT))
                if first % 3:
                    await eventually_async(lambda: runner.is_caught_up)
            await eventually_async(lambda: runner.is_caught_up and runner.buffered == 0)
            assert runner.books.delivered == SHIPMENTS * PER_SHIPMENT
            assert cursors.failures > SHIPMENTS / 5
        data_dir = tmp_path / ("edge" if sink == "file" else "central")
    found = [record["n"] for record in records_in(data_dir / "logs", "worker.log")]
    assert found == list(range(1, SHIPMENTS * PER_SHIPMENT + 1))
