"""What the shipper and its stream to a collector say to each other, whatever carries it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from telecine.logging.shipping.spool import Resource
from telecine.logging.shipping.spool_reader import SpooledBatch


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
