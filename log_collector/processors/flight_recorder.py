"""Keeps the latest debug records of each job in memory, and gives them out when that job errors."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Annotated

import msgspec

from log_collector.processors.undo import Undo


class FlightRecorderConfig(msgspec.Struct, frozen=True):
    """Off unless `records_per_job` is above 0; then DEBUG and TRACE records of jobs wait for an error."""

    records_per_job: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of a job's latest debug records are kept. 0: debug records are stored like all others."""
    size_bytes: Annotated[int, msgspec.Meta(ge=1)] = 64 * 1024**2
    """Of all kept records together; beyond it the job unseen for longest gives up its records."""


class FlightRecorder:
    """A ring per job. The journal has what it holds as well, so that a restart forgets nothing."""

    def __init__(self, config: FlightRecorderConfig) -> None:
        self._config = config
        self._rings: OrderedDict[str, deque[bytes]] = OrderedDict()
        self._order_kept_for: Undo | None = None
        self.size_bytes = 0
        self.held_count = 0

    @property
    def is_on(self) -> bool:
        """Whether debug records are kept at all."""
        return self._config.records_per_job > 0

    def lines(self) -> list[bytes]:
        """All that is held, each job's oldest first."""
        return [line for ring in self._rings.values() for line in ring]

    def hold(self, job: str, line: bytes, undo: Undo) -> int:
        """Keeps a record; returns how many had to be given up for it."""
        self._keep_order(undo)
        ring = self._rings.get(job)
        if ring is None:
            ring = self._rings[job] = deque()
        self._rings.move_to_end(job)
        ring.append(line)
        self._count(1, len(line))
        undo.taken.append((0, line))
        undo.add(lambda: self._take_back(job))
        given_up = 0
        while len(ring) > self._config.records_per_job:
            self._give_up(job, ring, undo)
            given_up += 1
        while self.size_bytes > self._config.size_bytes and self._rings:
            oldest = next(iter(self._rings))
            self._give_up(oldest, self._rings[oldest], undo)
            given_up += 1
        return given_up

    def release(self, job: str, undo: Undo) -> list[bytes]:
        """The job errored: gives out its records, oldest first."""
        self._keep_order(undo)
        ring = self._rings.pop(job, None)
        if ring is None:
            return []
        size = sum(map(len, ring))
        self._count(-len(ring), -size)
        undo.given += ring

        def put_back() -> None:
            self._rings[job] = ring
            self._count(len(ring), size)

        undo.add(put_back)
        return list(ring)

    def _give_up(self, job: str, ring: deque[bytes], undo: Undo) -> None:
        line = ring.popleft()
        self._count(-1, -len(line))
        undo.given.append(line)
        if not ring:
            del self._rings[job]

        def put_back() -> None:
            self._rings.setdefault(job, ring).appendleft(line)
            self._count(1, len(line))

        undo.add(put_back)

    def _take_back(self, job: str) -> None:
        ring = self._rings.get(job)
        if ring:
            self._count(-1, -len(ring.pop()))
            if not ring:
                del self._rings[job]

    def _keep_order(self, undo: Undo) -> None:
        """Once per batch: who was unseen for longest is as much a part of what is taken back."""
        if self._order_kept_for is not undo:
            self._order_kept_for = undo
            jobs = list(self._rings)
            undo.add(lambda: self._put_in_order(jobs))

    def _put_in_order(self, jobs: list[str]) -> None:
        for job in jobs:
            self._rings.move_to_end(job)

    def _count(self, records: int, size: int) -> None:
        self.held_count += records
        self.size_bytes += size
