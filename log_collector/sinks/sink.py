"""What every sink is to the fan-out: prepare, write, recover, close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from log_collector.journal import StoredBatch


class SinkError(Exception):
    """The sink cannot take records now; worth trying again. The message holds nothing of a record."""

    def __init__(self, message: str, *, retry_delay_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_delay_seconds = retry_delay_seconds
        """When the other side says to come again, such as by Retry-After; None: it did not say."""
        self.has_progressed = False
        """Whether it took some of the records since the last failure: it fails at times, and is not dead."""


class Written(msgspec.Struct):
    """What became of the records of some batches."""

    delivered: int = 0
    dropped: dict[str, int] = {}
    """By reason, such as "filtered"."""


class Sink(Protocol):
    """Carries batches on. All methods are called from one thread at a time and may block on their I/O.

    Whatever they raise, the fan-out calls `recover` with the newest state before it tries again.
    """

    @property
    def kind(self) -> str:
        """Such as "file"."""
        ...

    @property
    def read_bytes(self) -> int:
        """How many packed bytes of the journal to hand over at once, about."""
        ...

    def recover(self, state: bytes) -> None:
        """Undoes what was begun after `state` was made; called first of all. Empty: nothing was begun."""
        ...

    def prepare(self, batches: Sequence[StoredBatch]) -> bytes:
        """Gets ready to write these batches, and returns what `recover` needs to undo that; changes nothing.

        Empty: the sink cannot undo, and may get the same batches twice after a crash.
        """
        ...

    def write(self) -> Written:
        """Carries the prepared batches on; on return they are as safe as the sink can make them."""
        ...

    def settled(self) -> bytes:
        """The state once all that was prepared is written, and nothing is to be undone."""
        ...

    def is_upkeep_due(self) -> bool:
        """Whether `upkeep` has anything to do; asked often."""
        ...

    def upkeep(self) -> None:
        """Work between two writes, such as rotation; nothing is to be undone while it runs."""
        ...

    def close(self) -> None:
        """Releases everything; idempotent."""
        ...


class SinkWithoutUpkeep:
    """What a `Sink` is that has nothing to undo once it has written, and no work between two writes."""

    def settled(self) -> bytes:
        """See `Sink`."""
        return b""

    def is_upkeep_due(self) -> bool:
        """See `Sink`."""
        return False

    def upkeep(self) -> None:
        """See `Sink`."""


@runtime_checkable
class Interruptible(Protocol):
    """A sink whose writes may take long."""

    def interrupt(self) -> None:
        """Makes the write under way, and every later one, end soon with SinkError; called from any thread."""
        ...
