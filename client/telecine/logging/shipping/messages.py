"""What the shipper and its stream to a collector say to each other, whatever carries it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from telecine.logging.shipping.spool import Resource
from telecine.logging.shipping.spool_reader import SpooledBatch, SpoolReader


class Acknowledged(msgspec.Struct, frozen=True):
    """All records of the producer up to `last_seq` are durable."""

    producer: str
    last_seq: int


class Refused(msgspec.Struct, frozen=True):
    """A batch was not taken now."""

    producer: str
    is_out_of_order: bool
    retry_delay_seconds: float
    expected_seq: int
    is_foreign: bool = False
    """Whether the collector knows the producer as somebody else's."""


class Rejected(msgspec.Struct, frozen=True):
    """Records are wrong for ever; they are acknowledged as well."""

    producer: str
    count: int
    message: str


class Broken(msgspec.Struct, frozen=True):
    """The stream has ended; nothing more comes on it."""

    reason: str


Answer = Acknowledged | Refused | Rejected | Broken


class ShipStream(Protocol):
    """One stream to a collector. Used by one thread; `close` is idempotent and does not wait."""

    def resume(self, producer: str, secret: bytes = b"") -> None:
        """Asks where the producer stands; the answer is an `Acknowledged`, or a `Refused` of another's."""

    def send(self, producer: str, resource: Resource, batch: SpooledBatch, secret: bytes = b"") -> None:
        """Sends one batch; does not wait for its acknowledgement."""

    def answers(self, timeout_seconds: float) -> list[Answer]:
        """What came since the last call; waits for the first one at most so long."""

    def close(self) -> None:
        """Cancels the stream and releases the channel."""


class ShippingLimits(msgspec.Struct, frozen=True):
    """How eagerly, and how much at once."""

    batch_bytes: int = 512 << 10
    """Of uncompressed lines in one batch."""
    window_batches: int = 16
    """Batches under way per producer."""
    poll_seconds: float = 0.02
    """How long a record may wait in the spool before it is seen."""
    adopt_seconds: float = 1.0
    """How often the spools of others are looked for."""
    retry_min_seconds: float = 0.1
    retry_max_seconds: float = 3.0
    """Bounds of the delay before the next connection; grows, with jitter."""
    answer_seconds: float = 15.0
    """A stream that leaves a batch or a question of ours unanswered for so long is given up for a new one."""
    root_bytes: int = 1 << 30
    """Of all spools together; above it the oldest spools of dead producers are given up."""


class ShippingCounts(msgspec.Struct):
    """What became of the records so far."""

    shipped: int = 0
    rejected: int = 0
    given_up: int = 0
    lost: int = 0
    """Records that a spool no longer had: dropped while it was full, damaged by a crash of the machine."""
    reconnects: int = 0
    unanswered: int = 0
    """Streams that were given up because the collector answered nothing any more."""
    refused_as_foreign: int = 0
    """Batches and questions that the collector refused because it knows the producer as somebody else's."""
    faults: int = 0
    """Faults of shipping's own, after each of which it began anew."""


class ProducerState(msgspec.Struct):
    """One producer on the stream."""

    reader: SpoolReader
    is_known: bool = False
    """Whether the collector has said where the producer stands."""
    unacked: list[int] = msgspec.field(default_factory=list)
    """Last sequence number of each batch under way."""
    lost: dict[int, int] = msgspec.field(default_factory=dict)
    """How many records are missing right before a number that is under way."""
    waiting_since: float = 0.0
    """When the last answer came, or the first thing to be answered was sent."""
    wait_until: float = 0.0
    dead_since: float | None = None
    is_at_end: bool = False
    """Whether the last look at the spool found nothing more to send."""
    is_awaited: bool = True
    """Whether the end waits for it: its producer writes no more."""
    is_foreign: bool = False
    """Whether it was reported that the collector knows the producer as somebody else's."""

    @property
    def is_waiting(self) -> bool:
        """Whether the collector owes an answer."""
        return not self.is_known or bool(self.unacked)

    @property
    def is_finished(self) -> bool:
        """Whether the last look found everything sent and acknowledged."""
        return self.is_at_end and not self.is_waiting
