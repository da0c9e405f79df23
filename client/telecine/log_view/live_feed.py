"""Follows a filter on a thread of its own, through broken connections, into a bounded inbox."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telecine.clients.logs import LogFilter
from telecine.exceptions import CallerError, LaterError, ServiceFaultError
from telecine.log_view.record_source import Tail, WatchedPlace
from telecine.log_view.record_view import Gap, Item, RecordView, view_of
from telecine.log_view.record_window import BoundedItems, WindowLimits

_FIRST_DELAY_SECONDS: Final = 0.25
_LONGEST_DELAY_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 3.0
_OVERLAP_RECORDS: Final = 2000
"""So many of the newest are requested again after a break; those already seen are skipped."""


class Connection(StrEnum):
    """The state of the connection to the source."""

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "reconnecting"
    """It broke, and is retried from time to time."""
    FAILED = "failed"
    """Trying again does not help: the filter must be fixed."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came since it was last asked for."""

    items: Sequence[Item]
    """In the order of arrival. Where more came than is held, the oldest of them are missing at the front."""
    by_level: Counter[str]
    """Records by level, since the beginning."""
    missed: int
    """Records that the server skipped since the beginning because they came too fast."""
    connection: Connection
    problem: str
    """Why it is not live, in words; empty while it is."""


class LiveFeed:
    """Started once, stopped once. `take` and `stop` may be called from any thread."""

    def __init__(self, place: WatchedPlace, wanted: LogFilter, *, last: int, limits: WindowLimits) -> None:
        """`last`: begin with so many of the newest stored records."""
        self._place = place
        self._wanted = wanted
        self._last = last
        self._limits = limits
        self._lock = threading.Lock()
        self._inbox = BoundedItems(limits)
        self._by_level: Counter[str] = Counter()
        self._missed = 0
        self._connection = Connection.CONNECTING
        self._problem = ""
        self._stopped = threading.Event()
        self._tail: Tail | None = None
        self._seen: deque[int] = deque(maxlen=_OVERLAP_RECORDS)
        self._newest = ""
        self._thread = threading.Thread(target=self._run, name="telecine-log-feed", daemon=True)

    def start(self) -> None:
        """Begins to follow the records."""
        self._thread.start()

    def take(self) -> Delivery:
        """What has come; it is the caller's from now on."""
        with self._lock:
            items = list(self._inbox)
            self._inbox.clear()
            return Delivery(items, self._by_level.copy(), self._missed, self._connection, self._problem)

    def stop(self) -> None:
        """Ends following without waiting for it. Idempotent."""
        self._stopped.set()
        with self._lock:
            tail = self._tail
        if tail is not None:
            tail.close()

    def join(self, timeout_seconds: float) -> bool:
        """Waits for the thread's end; False: it has not ended in time."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        delay_seconds = _FIRST_DELAY_SECONDS
        while not self._stopped.is_set():
            seen_before = self._by_level.total()
            try:
                self._follow()
                problem = "the stream has ended"
            except (LaterError, ServiceFaultError, OSError) as error:
                problem = str(error)
            except Exception as error:  # noqa: BLE001 - a thread's outermost door: unknown errors are shown
                self._report(Connection.FAILED, _explained(error))
                return
            if self._stopped.is_set():
                break
            if self._by_level.total() > seen_before:
                delay_seconds = _FIRST_DELAY_SECONDS
            self._report(Connection.WAITING, problem)
            self._stopped.wait(delay_seconds)
            delay_seconds = min(2 * delay_seconds, _LONGEST_DELAY_SECONDS)
        self._report(Connection.CLOSED, "")

    def _follow(self) -> None:
        source = self._place.open(_PROBE_SECONDS)
        try:
            if self._place.has_counters:
                # A stream without records says nothing: this shows whether the collector answers.
                source.stats()
            is_first_time = not self._seen
            tail = source.tail(self._wanted, last=self._last if is_first_time else _OVERLAP_RECORDS)
            self._listen(tail)
        finally:
            source.close()

    def _listen(self, tail: Tail) -> None:
        with self._lock:
            self._tail = tail
        try:
            if self._stopped.is_set():
                return
            self._report(Connection.LIVE, "")
            known = Counter(self._seen)
            overlap = _OVERLAP_RECORDS if known else 0
            is_after_break = bool(known)
            for missed, line in tail:
                mark = hash(line)
                if overlap:
                    overlap -= 1
                    if known[mark]:
                        known[mark] -= 1
                        is_after_break = False
                        continue
                view = view_of(line)
                gap = Gap(missed, "they came too fast") if missed else None
                if is_after_break and view.timestamp > self._newest:
                    gap = gap or Gap(
                        0, "the connection was broken, and more came meanwhile than are read again"
                    )
                is_after_break = False
                self._keep(view, mark, gap)
        finally:
            with self._lock:
                self._tail = None
            tail.close()

    def _keep(self, view: RecordView, mark: int, gap: Gap | None) -> None:
        with self._lock:
            self._inbox.append([view] if gap is None else [gap, view])
            self._by_level[view.level.name] += 1
            self._missed += gap.missed if gap else 0
        self._seen.append(mark)
        self._newest = max(self._newest, view.timestamp)

    def _report(self, connection: Connection, problem: str) -> None:
        with self._lock:
            self._connection = connection
            self._problem = problem


def _explained(error: Exception) -> str:
    faults = error.faults if isinstance(error, CallerError) else ()
    return "; ".join(f"{fault.field}: {fault.description}" for fault in faults) or str(error)
