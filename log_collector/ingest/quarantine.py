"""Writes down what was rejected and why: one line, redacted and cut, for a record or a whole batch."""

from __future__ import annotations

import msgspec

from log_collector.processors.normalise import format_timestamp
from log_collector.record import Rejection, RejectionReason

_TEXT_BYTES = 4096
_BATCH_BYTES = 1024 * 1024


class QuarantinedRecord(msgspec.Struct):
    """One line of the quarantine."""

    timestamp: str
    level: str
    service: str
    msg: str
    """What was wrong and what was expected."""
    reason: str
    """As RejectionReason."""
    producer: str
    seq: int
    """Sequence number of the record, or of the first record of the batch; 0: it has none."""
    count: int = 1
    """How many records the line stands for."""
    text: str = ""
    """The record without secrets, cut to 4 KiB; empty where it could not be read at all."""


class Quarantine:
    """Collects the rejected of one batch."""

    def __init__(self, producer: str, first_seq: int, service: str, received_unix_nano: int) -> None:
        self._producer = producer
        self._first_seq = first_seq
        self._service = service
        self._received_unix_nano = received_unix_nano
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self._counts: dict[RejectionReason, int] = {}
        self._messages: dict[RejectionReason, str] = {}

    @property
    def lines(self) -> bytes:
        """All lines, each ended by a newline."""
        return b"".join(self._pieces)

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """What to tell the sender."""
        return tuple(Rejection(r, n, self._messages[r]) for r, n in self._counts.items())

    def add_batch(self, reason: RejectionReason, message: str, count: int) -> None:
        """Notes a batch that is wrong as a whole; its bytes, which cannot be redacted, are not kept."""
        self._add(reason, message, self._first_seq, count, b"")

    def add_line(self, reason: RejectionReason, message: str, seq: int, redacted: bytes) -> None:
        """Notes one record; `redacted` is its line without secrets."""
        self._add(reason, message, seq, 1, redacted)

    def _add(self, reason: RejectionReason, message: str, seq: int, count: int, redacted: bytes) -> None:
        self._counts[reason] = self._counts.get(reason, 0) + count
        self._messages.setdefault(reason, message)
        # Of a hostile batch the reasons are counted on, the texts are not.
        room = max(0, _BATCH_BYTES - self._size_bytes)
        line = msgspec.json.encode(
            QuarantinedRecord(
                timestamp=format_timestamp(self._received_unix_nano),
                level="WARNING",
                service=self._service,
                msg=message,
                reason=reason,
                producer=self._producer,
                seq=seq,
                count=count,
                text=redacted[: min(_TEXT_BYTES, room)].decode("utf-8", "replace"),
            )
        )
        self._size_bytes += len(line) + 1
        self._pieces += (line, b"\n")
