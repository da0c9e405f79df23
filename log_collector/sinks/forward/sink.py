"""The forward sink: hands records on to another collector, numbered anew so that a repeat is stored once."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from log_collector.journal import StoredBatch
from log_collector.sinks.sink import SinkWithoutUpkeep, Written

_SECRET_BYTES: Final = 32


class Parcel(msgspec.Struct, frozen=True):
    """Consecutive records of one service, on their way."""

    producer: str
    first_seq: int
    count: int
    service: str
    lines: bytes
    secret: bytes = b""
    """What the producer is owned with there."""


class Endpoint(Protocol):
    """Takes parcels. Used by one thread; `close` is idempotent."""

    def send(self, parcels: Sequence[Parcel]) -> int:
        """Returns once all are safe there, and how many records were rejected for ever. Raises SinkError."""
        ...

    def close(self) -> None:
        """Releases the connection."""
        ...


class _State(msgspec.Struct, array_like=True):
    producer: str
    next_seq: int
    secret: bytes = b""
    """Empty: it was begun by a release without secrets."""


class ForwardSink(SinkWithoutUpkeep):
    """A `Sink`. Its state is the number of the next record: what is sent again has the same numbers."""

    kind = "forward"
    read_bytes = 512 << 10

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self._name = name
        self._endpoint = endpoint
        self._state = self._new_state()
        self._parcels: list[Parcel] = []

    def recover(self, state: bytes) -> None:
        """See `Sink`."""
        self._parcels = []
        if state:
            self._state = msgspec.msgpack.decode(state, type=_State)

    def prepare(self, batches: Sequence[StoredBatch]) -> bytes:
        """See `Sink`."""
        self._parcels = []
        seq = self._state.next_seq
        for batch in batches:
            if batch.record_count:
                service = batch.header.origin.service or "unknown_service"
                lines = batch.unpack_records()
                state = self._state
                self._parcels.append(
                    Parcel(state.producer, seq, batch.record_count, service, lines, state.secret)
                )
                seq += batch.record_count
        return msgspec.msgpack.encode(self._state)

    def write(self) -> Written:
        """See `Sink`."""
        count = sum(parcel.count for parcel in self._parcels)
        rejected = self._endpoint.send(self._parcels) if self._parcels else 0
        self._state.next_seq += count
        self._parcels = []
        return Written(count - rejected, {"rejected": rejected} if rejected else {})

    def settled(self) -> bytes:
        """See `Sink`."""
        return msgspec.msgpack.encode(self._state)

    def close(self) -> None:
        """See `Sink`."""
        self._endpoint.close()

    def _new_state(self) -> _State:
        return _State(f"forward-{self._name}-{uuid.uuid4().hex}", 1, secrets.token_bytes(_SECRET_BYTES))
