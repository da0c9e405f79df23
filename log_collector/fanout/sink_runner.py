"""Drives one sink through the journal in a thread of its own, with its own cursor, retry and books."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
import structlog
from telecine.retry import BreakerState
from telecine.retry.report import STAGE

from log_collector.journal import Cursor, CursorStore, EntryError, Journal, StoredBatch
from log_collector.sinks.retry import RetryConfig, SinkBackoff
from log_collector.sinks.sink import Interruptible, Sink, SinkError
from service_host.status.disclosure import for_clients

_UPKEEP_SECONDS: Final = 0.5
_COUNT_BYTES: Final = 4 << 20
_LAG_LIMIT: Final = "lag_limit"

Log = structlog.typing.FilteringBoundLogger


class SinkBooks(msgspec.Struct):
    """What became of the records on the way to one sink since the start.

    accepted = dropped + buffered + delivered.
    """

    backlog: int = 0
    """Records that waited for it at the start."""
    delivered: int = 0
    dropped: Counter[str] = msgspec.field(default_factory=Counter)
    failures: int = 0
    last_error: str = ""
    """Why it is not delivering now; empty: it is."""
    waiting_since_unix_nano: int = 0
    """When the oldest record that waits was received, about; 0: none waits."""


class SinkRunner:
    """`run`, `stop` and the properties belong to the event loop; all of the sink happens in one thread.

    Owns the sink: `run` closes it at its end.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        journal: Journal,
        cursors: CursorStore,
        retry: RetryConfig,
        log: Log,
        lag_bytes: int = 0,
    ) -> None:
        """`lag_bytes`: records further behind are dropped; 0: never."""
        self.name = name
        self.sink = sink
        self.books = SinkBooks()
        self._journal = journal
        self._cursors = cursors
        self._backoff = SinkBackoff(retry)
        self._log = log
        self._lag_bytes = lag_bytes
        self._executor = ThreadPoolExecutor(1, f"sink-{name}")
        self._stopping = asyncio.Event()
        self._seen_before = journal.durable_records
        self._end_at_start = journal.durable_position
        cursor = cursors.load(name)
        if cursor is None:
            # Before anything is delivered: the journal keeps from here on what this sink has not seen.
            cursor = Cursor(journal.oldest_position)
            cursors.advance(name, cursor)
        self._started_at = cursor.position
        self.position = cursor.position
        """All before it is delivered."""
        self._undo_state = cursor.state
        """What `recover` gets: it takes back what was begun at `position`, and nothing that is before it."""
        self._is_settled = not cursor.state
        self._needs_recovery = True

    @property
    def circuit(self) -> BreakerState:
        """Where the circuit breaker stands."""
        return self._backoff.state

    @property
    def is_broken(self) -> bool:
        """Whether it has failed so often that it is only tried from time to time."""
        return self.circuit is not BreakerState.CLOSED

    @property
    def accepted(self) -> int:
        """Records that are, or were, for this sink."""
        return self.books.backlog + self._journal.durable_records - self._seen_before

    @property
    def buffered(self) -> int:
        """Records that wait for it."""
        return max(0, self.accepted - self.books.delivered - self.books.dropped.total())

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing waits for it."""
        return self.position >= self._journal.durable_position

    def count_backlog(self) -> None:
        """Counts what waits at the start; blocks on the disk."""
        position = self._started_at
        while position < self._end_at_start and (batches := self._journal.read(position, _COUNT_BYTES)):
            waiting = [batch.record_count for batch in batches if batch.position < self._end_at_start]
            self.books.backlog += sum(waiting)
            position = batches[-1].next_position

    async def run(self) -> None:
        """Delivers until `stop`; then closes the sink."""
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping.is_set():
                self._backoff.begin(time.monotonic())
                try:
                    has_moved = await loop.run_in_executor(self._executor, self._turn)
                except Exception as error:  # noqa: BLE001 - whatever a sink raises, it is tried again and harms no other
                    await self._wait(self._failed(error))
                    continue
                self._succeeded()
                if not has_moved:
                    await self._wait_for_more()
        finally:
            await asyncio.shield(loop.run_in_executor(self._executor, self._end))
            self._executor.shutdown(wait=False)

    def stop(self) -> None:
        """Ends `run` after the write that is under way, or in its middle where the sink can do that."""
        self._stopping.set()
        if isinstance(self.sink, Interruptible):
            self.sink.interrupt()

    def _turn(self) -> bool:
        """Delivers what can be read at once; False: there was nothing."""
        if self._needs_recovery:
            self.sink.recover(self._undo_state)
            self._needs_recovery = False
        self._enforce_lag_limit()
        batches = self._journal.read(self.position, self.sink.read_bytes)
        if not batches:
            self.books.waiting_since_unix_nano = 0
            self._settle()
            if self.sink.is_upkeep_due():
                self.sink.upkeep()
            return False
        self.books.waiting_since_unix_nano = batches[0].received_unix_nano
        self._deliver(batches)
        return True

    def _deliver(self, batches: list[StoredBatch]) -> None:
        state = self.sink.prepare(batches)
        if self.sink.is_upkeep_due():
            self._settle()
            self.sink.upkeep()
            state = self.sink.prepare(batches)
        if state:
            self._advance(state)
            self._is_settled = False
        self._needs_recovery = True
        written = self.sink.write()
        self._needs_recovery = False
        self.position = batches[-1].next_position
        # In this process alone: the cursor on disk may stay behind, and repeats this write after a crash.
        self._undo_state = self.sink.settled()
        self.books.delivered += written.delivered
        self.books.dropped.update(written.dropped)
        if not state:
            self._advance(self._undo_state)

    def _settle(self) -> None:
        """Notes that all before `position` is delivered and nothing is to be undone."""
        if not self._is_settled:
            self._advance(self.sink.settled())
            self._is_settled = True

    def _advance(self, state: bytes) -> None:
        self._cursors.advance(self.name, Cursor(self.position, state))
        self._undo_state = state

    def _enforce_lag_limit(self) -> None:
        limit = self._journal.durable_position - self._lag_bytes
        if not self._lag_bytes or self.position >= limit:
            return
        dropped = 0
        while self.position < limit and (batches := self._journal.read(self.position, self.sink.read_bytes)):
            for batch in batches:
                if self.position >= limit:
                    break
                dropped += batch.record_count
                self.position = batch.next_position
        self.books.dropped[_LAG_LIMIT] += dropped
        # What was written before stays, even where the cursor cannot be moved now.
        self._undo_state = self.sink.settled()
        self._advance(self._undo_state)
        self._is_settled = True

    def _failed(self, error: Exception) -> float:
        self._needs_recovery = True
        self.books.failures += 1
        self.books.last_error = _reason(error)
        if isinstance(error, SinkError) and error.has_progressed:
            self._backoff.succeeded(time.monotonic())
            self._backoff.begin(time.monotonic())
        decision = self._backoff.failed(error, time.monotonic(), random.random())  # noqa: S311 - spreads retries
        report = self._log.warning if isinstance(error, SinkError) else self._log.error
        report(
            "sink_failed",
            sink=self.name,
            stage=STAGE,
            attempt=decision.attempt,
            reason=str(decision.verdict),
            circuit=str(self.circuit),
            failures=self._backoff.failures,
            retry_seconds=round(decision.delay_seconds, 3),
            error=self.books.last_error,
            exc_info=None if isinstance(error, SinkError | sqlite3.Error | OSError) else error,
        )
        return decision.delay_seconds

    def _succeeded(self) -> None:
        has_recovered = self._backoff.failures > 0
        self._backoff.succeeded(time.monotonic())
        if has_recovered:
            self.books.last_error = ""
            self._log.info("sink_recovered", sink=self.name)

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _wait_for_more(self) -> None:
        more = asyncio.ensure_future(self._journal.wait_for_more(self.position))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((more, stopping), timeout=_UPKEEP_SECONDS, return_when="FIRST_COMPLETED")
        finally:
            more.cancel()
            stopping.cancel()

    def _end(self) -> None:
        try:
            if not self._needs_recovery:
                self._settle()
        except sqlite3.Error as error:
            # The state that stands there undoes what was written; it is written again.
            self._log.warning("sink_not_settled", sink=self.name, error=str(error))
        finally:
            self.sink.close()


def _reason(error: Exception) -> str:
    if isinstance(error, SinkError | sqlite3.Error | EntryError):
        return for_clients(str(error))
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__


def now_lag_seconds(books: SinkBooks, now_unix_nano: Callable[[], int] = time.time_ns) -> float:
    """How long the oldest waiting record has waited."""
    since = books.waiting_since_unix_nano
    return max(0.0, (now_unix_nano() - since) / 1e9) if since else 0.0
