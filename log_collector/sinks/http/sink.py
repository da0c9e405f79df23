"""A sink over HTTP: gathers records into requests, heeds what the service says of each, and loses none."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import msgspec

from log_collector.expression import Condition
from log_collector.journal import StoredBatch
from log_collector.sinks.http.dead_letters import DeadLetter, DeadLetters
from log_collector.sinks.http.door import Door, HttpResponse, Request
from log_collector.sinks.http.responses import Piece, Refused, Verdict
from log_collector.sinks.journal_record import JournalRecord, read_records
from log_collector.sinks.sink import SinkError, SinkWithoutUpkeep, Written

FILTERED: Final = "filtered"
UNREADABLE: Final = "unreadable"
_NOWHERE: Final = -1


class Wire(Protocol):
    """How one service wants its records. Used by one thread; no method touches anything outside."""

    @property
    def kind(self) -> str:
        """Such as "loki"."""
        ...

    @property
    def read_bytes(self) -> int:
        """As `Sink.read_bytes`."""
        ...

    def piece(self, record: JournalRecord) -> Piece:
        """The record as the service takes it; called once for each that the filter lets through."""
        ...

    def passed(self, record: JournalRecord) -> None:
        """Called for every record that can be read, after `piece`, also where the filter keeps it back."""
        ...

    def request(self, pieces: Sequence[Piece]) -> Request:
        """The request that carries these."""
        ...

    def judge(self, answer: HttpResponse, pieces: Sequence[Piece]) -> Verdict:
        """What became of them. Raises SinkError where the answer cannot be understood."""
        ...


class Limits(msgspec.Struct, frozen=True):
    """As the fields of TargetConfig."""

    request_records: int
    request_bytes: int
    most_wait_seconds: float


class HttpSink(SinkWithoutUpkeep):
    """A `Sink`. What a service has taken cannot be taken back: after a failure it goes on behind it, after a
    crash it sends the same records with the same ids again.

    Holds one request at a time, and the records of the batch that is being read.
    """

    def __init__(
        self,
        wire: Wire,
        door: Door,
        limits: Limits,
        is_wanted: Condition,
        dead_letters: DeadLetters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = wire.kind
        self.read_bytes = wire.read_bytes
        self._wire = wire
        self._door = door
        self._limits = limits
        self._is_wanted = is_wanted
        self._dead_letters = dead_letters
        self._clock = clock
        self._closed_until = 0.0
        self._stopping = threading.Event()
        self._has_progressed = False
        self._begin(_NOWHERE)

    def recover(self, state: bytes) -> None:
        """See `Sink`; there is nothing to undo."""

    def prepare(self, batches: Sequence[StoredBatch]) -> bytes:
        """See `Sink`. The same first batch again: goes on behind what was read of it."""
        if batches[0].position != self._position:
            self._begin(batches[0].position)
        self._records: Iterator[JournalRecord] = read_records(batches, self._read_count)
        return b""

    def write(self) -> Written:
        """See `Sink`."""
        try:
            while request := self._next_request():
                if self._stopping.is_set():
                    raise SinkError("stops; what is left is sent when it starts again")
                self._send(request)
        except SinkError as error:
            error.has_progressed, self._has_progressed = self._has_progressed, False
            raise
        written = Written(self._delivered, dict(self._dropped))
        self._begin(_NOWHERE)
        return written

    def interrupt(self) -> None:
        """See `Interruptible`: a batch may hold more than can be sent while a process is asked to end."""
        self._stopping.set()

    def close(self) -> None:
        """See `Sink`."""
        self._door.close()

    def _begin(self, position: int) -> None:
        self._position = position
        self._read_count = 0
        """How many records from `position` on were read: they stand in `_requests` or are done with."""
        self._requests: deque[Sequence[Piece]] = deque()
        self._left_over: Piece | None = None
        """It did not fit into the last request."""
        self._delivered = 0
        self._dropped: Counter[str] = Counter()

    def _next_request(self) -> Sequence[Piece]:
        """The pieces to send next; none: all is done."""
        if not self._requests:
            gathered = self._gather()
            if gathered:
                self._requests.append(gathered)
        return self._requests[0] if self._requests else ()

    def _gather(self) -> list[Piece]:
        pieces: list[Piece] = []
        size = 0
        while len(pieces) < self._limits.request_records:
            piece = self._left_over or self._next_piece()
            self._left_over = None
            if piece is None:
                break
            size += len(piece.body)
            if pieces and (size > self._limits.request_bytes or piece.group != pieces[0].group):
                self._left_over = piece
                break
            pieces.append(piece)
        return pieces

    def _next_piece(self) -> Piece | None:
        for record in self._records:
            if record.fields is None:
                self._refuse([Refused(Piece(record, b""), UNREADABLE)])
                self._read_count += 1
                continue
            piece = None
            is_wanted = self._is_wanted(record.fields)
            if is_wanted:
                try:
                    piece = self._wire.piece(record)
                except (ValueError, OverflowError, RecursionError, TypeError) as error:
                    # One strange record must not stand in the way of all that come after it.
                    self._refuse([Refused(Piece(record, b""), UNREADABLE, type(error).__name__)])
            self._wire.passed(record)
            self._read_count += 1
            if piece is not None:
                return piece
            if not is_wanted:
                self._dropped[FILTERED] += 1
        return None

    def _send(self, pieces: Sequence[Piece]) -> None:
        closed_seconds = self._closed_until - self._clock()
        if closed_seconds > 0:
            raise SinkError(
                f"was told to wait {closed_seconds:.0f} s more", retry_delay_seconds=closed_seconds
            )
        verdict = self._wire.judge(self._door.post(self._wire.request(pieces)), pieces)
        self._refuse(verdict.refused)
        wait_seconds = verdict.wait_seconds
        if wait_seconds is not None:
            wait_seconds = min(wait_seconds, self._limits.most_wait_seconds)
            self._closed_until = self._clock() + wait_seconds
        self._requests.popleft()
        self._has_progressed |= len(verdict.again) < len(pieces)
        self._requests.extendleft(reversed(verdict.parts))
        unsettled = len(verdict.again) + sum(map(len, verdict.parts))
        self._delivered += len(pieces) - len(verdict.refused) - unsettled
        if verdict.again:
            self._requests.appendleft(verdict.again)
            raise SinkError(verdict.fault, retry_delay_seconds=wait_seconds)

    def _refuse(self, refused: Sequence[Refused]) -> None:
        for one in refused:
            record = one.piece.record
            is_json = record.fields is not None
            line = msgspec.Raw(record.line) if is_json else record.line.decode("utf-8", "replace")
            self._dead_letters.add(DeadLetter(record.id, one.reason, one.detail, line))
        # Counted once all are kept: where the disk fails, the request is made again.
        self._dropped.update(one.reason for one in refused)
