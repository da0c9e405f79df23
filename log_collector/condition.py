"""What is wrong with the collector's own store: found at the start or while it runs, reported and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from log_collector.data_files import JOURNAL
from log_collector.journal import CursorStore, Journal
from log_collector.journal.places import Damage, segment_head

_PREFIX: Final = "telecine_log_journal"
_GONE: Final = "data_directory_gone"
_HEAD_BYTES: Final = len(segment_head(0))

Log = structlog.typing.FilteringBoundLogger


def open_cursors(data_dir: Path) -> CursorStore:
    """The cursors; where there are records they must be known. Raises ValueError, OSError."""
    segments = (data_dir / JOURNAL).glob("*.segment")
    return CursorStore(data_dir, has_journal=any(path.stat().st_size > _HEAD_BYTES for path in segments))


class Condition(Collector):
    """Belongs to the event loop; `collect` may be called from any thread."""

    def __init__(
        self, journal: Journal, cursors: CursorStore, is_there: Callable[[], bool], log: Log
    ) -> None:
        """`is_there`: whether the data directory is still the one that was opened; blocks on the disk."""
        self._journal = journal
        self._cursors = cursors
        self._is_there = is_there
        self._log = log
        self._told_failures = 0
        self._told_rotten = 0
        self._has_failing_journal = False
        self.is_gone = False
        """Whether the data directory is not there: nothing may be acknowledged."""

    @property
    def damages(self) -> list[Damage]:
        """What cost something that was acknowledged, or may have."""
        return [d for d in [*self._journal.damages, *self._journal.rotten] if d.was_acknowledged]

    @property
    def damaged_bytes(self) -> int:
        """Of the journal, that cannot be read any more."""
        return sum(damage.length_bytes for damage in self.damages)

    @property
    def damage_count(self) -> int:
        """How many places of the journal and of the cursors were found damaged."""
        return len(self.damages) + len(self._cursors.damages)

    def report_start(self) -> None:
        """Logs what was found when the journal and the cursors were opened."""
        for damage in self._journal.damages:
            self._report(damage)
        for reason in self._cursors.damages:
            self._log.error("cursors_damage", reason=reason)

    async def look(self) -> None:
        """Logs what has changed since the last look: once a round, not once a batch."""
        rotten = self._journal.rotten
        for damage in rotten[self._told_rotten :]:
            self._report(damage)
        self._told_rotten = len(rotten)
        await self._look_for_directory()
        failures = self._journal.failures - self._told_failures
        self._told_failures += failures
        if failures:
            self._log.error("journal_failed", failures=failures, error=self._journal.last_failure)
        elif self._has_failing_journal:
            self._log.info("journal_not_failing")
        self._has_failing_journal = bool(failures)

    def collect(self) -> Iterator[Metric]:
        """Yields the families."""
        damages = CounterMetricFamily(f"{_PREFIX}_damages", "Places of journal or cursors found damaged.")
        damages.add_metric([], self.damage_count)
        lost = GaugeMetricFamily(f"{_PREFIX}_damaged_bytes", "Bytes of the journal that cannot be read.")
        lost.add_metric([], self.damaged_bytes)
        gone = GaugeMetricFamily("telecine_log_data_directory_gone", "1: the data directory is not there.")
        gone.add_metric([], float(self.is_gone))
        yield from (damages, lost, gone)

    async def _look_for_directory(self) -> None:
        is_gone = not await asyncio.to_thread(self._is_there)
        if is_gone and not self.is_gone:
            self._log.error(
                _GONE,
                advice="nothing is acknowledged until it is put back as it was; else restart the collector",
            )
        elif self.is_gone and not is_gone:
            self._log.info("data_directory_back")
        self.is_gone = self._journal.is_gone = is_gone

    def _report(self, damage: Damage) -> None:
        report = self._log.error if damage.was_acknowledged else self._log.info
        report("journal_damage", position=damage.position, bytes=damage.length_bytes, reason=damage.reason)
