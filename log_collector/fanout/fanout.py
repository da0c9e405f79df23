"""The fan-out: all sinks side by side, none waiting for another, and what they have delivered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import structlog
from google.protobuf.duration_pb2 import Duration
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from telecine.logs.v1 import logs_pb2
from telecine.retry import BreakerState

from log_collector.fanout.sink_runner import SinkRunner, now_lag_seconds
from log_collector.files.sink import FileSink
from log_collector.journal import CursorStore, Journal
from log_collector.sinks.retry import RetryConfig
from log_collector.sinks.sink import Sink

_DRAIN_LOOK_SECONDS: Final = 0.02

Log = structlog.typing.FilteringBoundLogger


class Fanout:
    """Belongs to the event loop. Owns the sinks that are given to it; `close` is idempotent."""

    def __init__(self, journal: Journal, cursors: CursorStore, log: Log) -> None:
        self._journal = journal
        self._cursors = cursors
        self._log = log
        self._runners: dict[str, SinkRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def runners(self) -> Mapping[str, SinkRunner]:
        """By the sinks' names."""
        return self._runners

    def knows(self, name: str) -> bool:
        """Whether a sink of this name has a cursor."""
        return name in self._cursors.sinks()

    def start(self, name: str, sink: Sink, retry: RetryConfig, lag_bytes: int = 0) -> None:
        """Begins to deliver to a sink, from where it was, or from the oldest record there is."""
        runner = SinkRunner(name, sink, self._journal, self._cursors, retry, self._log, lag_bytes)
        self._runners[name] = runner
        self._tasks[name] = asyncio.create_task(self._run(runner), name=f"sink {name}")

    async def stop(self, name: str) -> None:
        """Ends one sink; its cursor stays."""
        runner = self._runners.pop(name)
        runner.stop()
        await asyncio.gather(self._tasks.pop(name), return_exceptions=True)

    def forget_others(self) -> None:
        """Deletes the cursors of sinks that there are no more, so that they hold the journal no more."""
        for name in self._cursors.sinks():
            if name not in self._runners:
                self._cursors.forget(name)
                self._log.info("sink_forgotten", sink=name)

    async def drain(self, deadline_seconds: float) -> bool:
        """Waits until every sink that works has delivered all; False: the time was over before."""
        try:
            async with asyncio.timeout(max(0.0, deadline_seconds)):
                while any(not r.is_caught_up and not r.is_broken for r in self._runners.values()):  # noqa: ASYNC110 - threads move the positions
                    await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Ends all sinks."""
        for runner in self._runners.values():
            runner.stop()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    def stats(self) -> list[logs_pb2.SinkStats]:
        """The books of every sink."""
        return [_stats(runner) for runner in self._runners.values()]

    async def _run(self, runner: SinkRunner) -> None:
        await asyncio.to_thread(runner.count_backlog)
        await runner.run()


def _stats(runner: SinkRunner) -> logs_pb2.SinkStats:
    books = runner.books
    lag = Duration()
    lag.FromNanoseconds(int(now_lag_seconds(books) * 1e9))
    return logs_pb2.SinkStats(
        name=runner.name,
        kind=runner.sink.kind,
        accepted=runner.accepted,
        delivered=books.delivered,
        buffered=runner.buffered,
        dropped=dict(books.dropped),
        is_broken=runner.is_broken,
        last_error=books.last_error,
        lag=lag,
    )


_PREFIX: Final = "telecine_log_sink"


class FanoutMetrics(Collector):
    """Shows the sinks' books to Prometheus."""

    def __init__(self, runners: Mapping[str, SinkRunner]) -> None:
        self._runners = runners

    def collect(self) -> Iterator[Metric]:
        """Yields the families."""
        delivered = CounterMetricFamily(f"{_PREFIX}_delivered", "Records that the sink has.", labels=["sink"])
        dropped = CounterMetricFamily(
            f"{_PREFIX}_dropped", "Records that were given up.", labels=["sink", "reason"]
        )
        failures = CounterMetricFamily(f"{_PREFIX}_failures", "Failed writes.", labels=["sink"])
        buffered = GaugeMetricFamily(
            f"{_PREFIX}_buffered", "Records that wait for the sink.", labels=["sink"]
        )
        broken = GaugeMetricFamily(
            f"{_PREFIX}_broken", "1: the sink's circuit is not closed, it fails.", labels=["sink"]
        )
        circuit = GaugeMetricFamily(
            f"{_PREFIX}_circuit", "1 for the state that its circuit is in.", labels=["sink", "state"]
        )
        lag = GaugeMetricFamily(
            f"{_PREFIX}_lag_seconds", "Age of the oldest record that waits for the sink.", labels=["sink"]
        )
        diverted = CounterMetricFamily(
            "telecine_log_files_diverted",
            "Writes that went into a shared file instead of one of their own.",
            labels=["reason"],
        )
        expired = CounterMetricFamily(
            "telecine_log_files_expired", "Files and jobs that retention removed.", labels=["reason"]
        )
        diverted_files: Counter[str] = Counter()
        expired_files: Counter[str] = Counter()
        for name, runner in list(self._runners.items()):
            books = runner.books
            if isinstance(runner.sink, FileSink):
                diverted_files.update(runner.sink.diverted)
                expired_files.update(runner.sink.expired)
            delivered.add_metric([name], books.delivered)
            failures.add_metric([name], books.failures)
            buffered.add_metric([name], runner.buffered)
            broken.add_metric([name], float(runner.is_broken))
            for state in BreakerState:
                circuit.add_metric([name, state], float(runner.circuit is state))
            lag.add_metric([name], now_lag_seconds(books))
            for reason, count in list(books.dropped.items()):
                dropped.add_metric([name, reason], count)
        for reason, count in diverted_files.items():
            diverted.add_metric([reason], count)
        for reason, count in expired_files.items():
            expired.add_metric([reason], count)
        yield from (delivered, dropped, failures, buffered, broken, circuit, lag, diverted, expired)
