"""Carries spooled records to the collector in the background: this process's own, and those of the dead."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from telecine.logging.forked.file_locks import give, take
from telecine.logging.shipping.ending import can_start_threads, keep_for_ever
from telecine.logging.shipping.messages import (
    Acknowledged,
    Answer,
    Broken,
    ProducerState,
    Refused,
    Rejected,
    ShippingCounts,
    ShippingLimits,
    ShipStream,
)
from telecine.logging.shipping.spool_reader import (
    SpoolReader,
    has_living_owner,
    is_of_child,
    read_acked,
    spool_directories,
)

THREAD_NAME = "telecine-log-shipper"

_LIVING_SECONDS = 2.0
"""A living process has so long to begin shipping itself, unless it says that it never does."""

_REPORT_SECONDS = 60.0
"""A fault of shipping's own is reported at most once in this time; all are counted."""

_LAST_TRY_SECONDS = 0.5
"""At the end, a collector that was away a moment ago has so long to answer one more connection."""

_FOREIGN_SECONDS = 30.0
"""Between two tries of a producer that the collector knows as somebody else's."""

_SETTLE_SECONDS = 0.05
"""After a refusal: lets the refusals of the batches behind it arrive before they are sent again."""


class Shipper:
    """A daemon thread that ships every spool below the root that nobody else ships.

    It never logs through the pipeline it serves; what it has to say goes to `report`.
    """

    def __init__(
        self,
        root: Path,
        connect: Callable[[], ShipStream],
        limits: ShippingLimits,
        own: Path | None = None,
        report: Callable[[str, str, dict[str, object]], None] = lambda _level, _msg, _fields: None,
        keep_own: Callable[[], None] = lambda: None,
    ) -> None:
        """`own` is the spool of this process, which is shipped first; `keep_own` is called now and then."""
        self._root = root
        self._connect = connect
        self._limits = limits
        self._own = own
        self._report = report
        self._keep_own = keep_own
        self._producers: dict[str, ProducerState] = {}
        self._seen: dict[str, float] = {}
        self._stream: ShipStream | None = None
        self._failures = 0
        self._sent_full = False
        self._is_last_feed = False
        self._has_adopted_last = False
        self._has_tried_last = False
        self._feed_at = float("-inf")
        self._adopted_at = float("-inf")
        self._fault_reported_at = float("-inf")
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._progress = threading.Condition()
        self._deadline = float("inf")
        self._ends_at = float("inf")
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self.counts = ShippingCounts()
        self.is_connected = False
        self.needs_helper = False
        """No stream is open, and none can be opened: this interpreter starts no threads at its end."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Ships what is left as long as the collector takes it, at most so long; idempotent.

        Everything that is in the spools when it is called counts, also that of processes that have ended.
        """
        now = time.monotonic()
        self._ends_at = now + timeout_seconds
        self._deadline = now + min(timeout_seconds, _LAST_TRY_SECONDS) if self._failures else self._ends_at
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_seconds + 0.5)

    def hurry(self) -> None:
        """Looks for the spools of others at once, and tries a collector that was away."""
        self._adopted_at = float("-inf")
        self._wake.set()

    def wait_until_shipped(self, seq: int, timeout_seconds: float) -> bool:
        """Waits until the collector has this process's records up to `seq`; False at the timeout."""
        deadline = time.monotonic() + timeout_seconds
        with self._progress:
            while self._own_acked_seq() < seq:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._progress.wait(min(left, 0.1))
        return True

    def _own_acked_seq(self) -> int:
        """From the producer, or from the file where another process ships for this one."""
        if self._own is None:
            return 0
        producer = self._producers.get(self._own.name)
        return producer.reader.acked_seq if producer is not None else read_acked(self._own)

    def abandon_in_child(self) -> None:
        """After a fork, in the child: lets go of the parent's locks."""
        try:
            for producer in list(self._producers.values()):
                producer.reader.release()
        except (RuntimeError, OSError):
            return

    def _run(self) -> None:
        lock = -1
        try:
            # Children of a fork see by the lock that somebody ships.
            with contextlib.suppress(OSError):
                lock = take(self._root.resolve(), creates=False, is_shared=True)
            while not self._is_over():
                try:
                    self._turn()
                except Exception as error:  # noqa: BLE001 - a fault in shipping must not show in the application
                    self._begin_anew(error)
        finally:
            self._disconnect()
            for producer in self._producers.values():
                if not producer.reader.remove_if_finished():
                    producer.reader.release()
            give(lock)

    def _begin_anew(self, error: Exception) -> None:
        """After a fault of its own, such as a segment that is gone: the spools say where to go on."""
        self.counts.faults += 1
        self._failures = min(self._failures + 1, 16)
        now = time.monotonic()
        if now - self._fault_reported_at >= _REPORT_SECONDS:
            self._fault_reported_at = now
            self._report("ERROR", "log shipping begins anew after a fault", {"error": repr(error)})
        self._disconnect()
        for producer in self._producers.values():
            producer.reader.release()
        self._producers.clear()
        self._adopted_at = float("-inf")
        self._has_adopted_last = self._is_last_feed = False
        if self._stopping.is_set():
            time.sleep(_SETTLE_SECONDS)
        else:
            self._stopping.wait(self._limits.adopt_seconds)

    def _is_over(self) -> bool:
        """At the end: once a look begun after `stop` finds all that was logged sent and acknowledged."""
        if not self._stopping.is_set():
            return False
        if time.monotonic() >= self._deadline:
            return True
        if self._stream is None and self._failures:
            return self._has_tried_last
        return (
            self._has_adopted_last
            and (self._is_last_feed or not self._producers)
            and all(producer.is_finished or not producer.is_awaited for producer in self._producers.values())
        )

    def _turn(self) -> None:
        now = time.monotonic()
        # Read before anything else is: only what is looked at afterwards is the end.
        is_ending = self._stopping.is_set()
        is_due = now - self._adopted_at >= self._limits.adopt_seconds and not is_ending
        if is_due or self._adopted_at == float("-inf") or (is_ending and not self._has_adopted_last):
            self._adopted_at = now
            self._keep_own()
            self._adopt(now)
            self._give_up_excess()
            self._has_adopted_last = is_ending
        if self._stream is None and not self._open_stream():
            return
        if now >= self._feed_at:
            self._sent_full = False
            for producer in list(self._producers.values()):
                self._feed(producer, now)
            self._is_last_feed = is_ending
            # Small batches wait for company: each turn takes the interpreter from the application.
            self._feed_at = now + (0.0 if self._sent_full else self._limits.poll_seconds)
        if self._stream is not None:
            for answer in self._stream.answers(max(0.001, self._feed_at - now)):
                self._take(answer)
            self._give_up_on_silence()

    def _give_up_on_silence(self) -> None:
        """A stream that owes an answer for too long is exchanged: nothing is lost by sending again."""
        now = time.monotonic()
        waiting = [producer.waiting_since for producer in self._producers.values() if producer.is_waiting]
        silent_seconds = now - min(waiting, default=now)
        if self._stream is not None and silent_seconds >= self._limits.answer_seconds:
            self.counts.unanswered += 1
            self._fail(f"no answer for {silent_seconds:.0f} s")

    def _open_stream(self) -> bool:
        if self._failures:
            ceiling = min(self._limits.retry_max_seconds, self._limits.retry_min_seconds * 2**self._failures)
            delay = random.uniform(self._limits.retry_min_seconds, ceiling)  # noqa: S311 - jitter, not a secret
            if self._wake.wait(delay):
                self._wake.clear()
        self._has_tried_last = self._stopping.is_set()
        self.needs_helper = not can_start_threads()
        if self.needs_helper:
            self._fail("no thread can be started")
            return False
        try:
            self._stream = self._connect()
        except Exception as error:  # noqa: BLE001 - whatever stands in the way, it is tried again
            if not can_start_threads():
                keep_for_ever(error)
            self._fail(repr(error))
            return False
        for producer in self._producers.values():
            self._resume(producer)
        return True

    def _resume(self, producer: ProducerState) -> None:
        producer.is_known = producer.is_at_end = False
        producer.unacked.clear()
        producer.wait_until = 0.0
        producer.waiting_since = time.monotonic()
        if self._stream is not None:
            self._stream.resume(producer.reader.producer, producer.reader.secret)

    def _feed(self, producer: ProducerState, now: float) -> None:
        if self._stream is None or not producer.is_known or now < producer.wait_until:
            return
        while len(producer.unacked) < self._limits.window_batches:
            batch = producer.reader.next_batch(self._limits.batch_bytes)
            producer.is_at_end = batch is None
            if batch is None:
                if not producer.unacked and producer.reader.directory != self._own:
                    self._retire(producer, now)
                return
            self._stream.send(
                producer.reader.producer, producer.reader.resource, batch, producer.reader.secret
            )
            if not producer.unacked:
                producer.waiting_since = now
            producer.unacked.append(batch.first_seq + batch.count - 1)
            if batch.lost_before:
                producer.lost[batch.first_seq] = batch.lost_before
            self._sent_full = self._sent_full or len(batch.lines) * 2 > self._limits.batch_bytes

    def _retire(self, producer: ProducerState, now: float) -> None:
        """Removes a dead producer's spool once all of it is safe."""
        if producer.dead_since is not None and now - producer.dead_since < self._limits.adopt_seconds:
            return
        producer.dead_since = now
        if producer.reader.remove_if_finished():
            del self._producers[producer.reader.producer]

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Broken):
            self._fail(answer.reason)
            return
        producer = self._producers.get(answer.producer)
        if producer is None:
            return
        producer.waiting_since = time.monotonic()
        if isinstance(answer, Rejected):
            self.counts.rejected += answer.count
            fields: dict[str, object] = {"count": answer.count, "reason": answer.message}
            self._report("ERROR", "the collector rejected log records", fields)
        elif isinstance(answer, Refused):
            self._refused(producer, answer)
        else:
            self._acknowledged(producer, answer)

    def _acknowledged(self, producer: ProducerState, answer: Acknowledged) -> None:
        if not self.is_connected:
            self.is_connected = True
            self._failures = 0
            self._deadline = self._ends_at
        if not producer.is_known:
            producer.is_known, producer.is_at_end = True, False
            # What a stream that broke carried, and its acknowledgement did not.
            self._count_shipped(producer, answer.last_seq)
            producer.reader.go_on_behind(answer.last_seq)
            return
        self._count_shipped(producer, answer.last_seq)
        producer.reader.acknowledge(answer.last_seq)
        producer.unacked = [seq for seq in producer.unacked if seq > answer.last_seq]
        with self._progress:
            self._progress.notify_all()

    def _count_shipped(self, producer: ProducerState, last_seq: int) -> None:
        lost = sum(count for first, count in producer.lost.items() if first <= last_seq)
        producer.lost = {first: count for first, count in producer.lost.items() if first > last_seq}
        self.counts.lost += lost
        self.counts.shipped += max(0, last_seq - producer.reader.acked_seq - lost)
        if lost and producer.reader.directory != self._own:
            fields: dict[str, object] = {"count": lost, "producer": producer.reader.producer}
            self._report("WARNING", "a spool lacks log records: it was full, or is damaged", fields)

    def _refused(self, producer: ProducerState, answer: Refused) -> None:
        # Later batches of the producer come back as out of order; the first refusal has moved it already.
        producer.unacked.clear()
        producer.is_at_end = False
        if answer.is_foreign:
            self._refused_as_foreign(producer)
            return
        delay = min(max(answer.retry_delay_seconds, _SETTLE_SECONDS), self._limits.retry_max_seconds)
        producer.wait_until = max(producer.wait_until, time.monotonic() + delay)
        producer.reader.go_on_behind(max(0, answer.expected_seq - 1))

    def _refused_as_foreign(self, producer: ProducerState) -> None:
        """The records stay in the spool; the collector is asked again, in case it is another one by then."""
        self.counts.refused_as_foreign += 1
        producer.is_known = producer.is_at_end = True
        producer.reader.go_on_at(producer.reader.acked_seq + 1)
        producer.wait_until = time.monotonic() + _FOREIGN_SECONDS
        if not producer.is_foreign:
            producer.is_foreign = True
            fields: dict[str, object] = {"spool": str(producer.reader.directory)}
            self._report("ERROR", "the collector knows this producer as somebody else's", fields)

    def _fail(self, reason: str) -> None:
        self._failures = min(self._failures + 1, 16)
        self._disconnect()
        if self._failures == 1 and not self.needs_helper:
            self.counts.reconnects += 1
            self._report(
                "WARNING", "log collector not reachable; records stay in the spool", {"reason": reason}
            )

    def _disconnect(self) -> None:
        self.is_connected = False
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.close()

    def _adopt(self, now: float) -> None:
        directories = list(spool_directories(self._root))
        self._seen = {d.name: self._seen.get(d.name, now) for d in directories}
        if self._own is not None:
            directories.sort(key=lambda directory: directory != self._own)
        for producer in self._producers.values():
            producer.is_awaited = self._is_awaited(producer.reader.directory)
        for directory in directories:
            if directory.name in self._producers or not self._is_ours_to_take(directory, now):
                continue
            reader = SpoolReader.claim(directory)
            if reader is None:
                continue
            if not self._is_ours_to_take(directory, now):
                # It was only being made when it looked dead: its owner ships it.
                reader.release()
                continue
            producer = self._producers[directory.name] = ProducerState(reader)
            producer.is_awaited = self._is_awaited(directory)
            self._resume(producer)

    def _is_awaited(self, directory: Path) -> bool:
        return directory == self._own or not has_living_owner(directory)

    def _is_ours_to_take(self, directory: Path, now: float) -> bool:
        """One's own and those of the dead at once; of the living only what nobody ships for a while."""
        if directory == self._own or not has_living_owner(directory):
            return True
        return now - self._seen[directory.name] >= _LIVING_SECONDS or is_of_child(directory)

    def _give_up_excess(self) -> None:
        sizes = {name: producer.reader.size_bytes() for name, producer in self._producers.items()}
        total = sum(sizes.values())
        for name, producer in list(self._producers.items()):
            if total <= self._limits.root_bytes:
                return
            if (
                producer.reader.directory == self._own
                or producer.unacked
                or has_living_owner(producer.reader.directory)
            ):
                continue
            count = producer.reader.count_left()
            producer.reader.remove()
            del self._producers[name]
            total -= sizes[name]
            self.counts.given_up += count
            fields: dict[str, object] = {"count": count, "producer": name, "reason": "spool_root_full"}
            self._report("ERROR", "log records of a dead process given up", fields)
