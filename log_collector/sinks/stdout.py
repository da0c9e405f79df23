"""The stdout sink: records as lines on a stream that somebody reads, such as a container's log driver."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from typing import Final

import msgspec
from telecine.logging.outputs.rendering import Format, renderer

from log_collector.journal import StoredBatch
from log_collector.sinks.sink import SinkError, SinkWithoutUpkeep, Written
from log_collector.sinks.table import Place

_WRITABLE_SECONDS: Final = 1.0


class StdoutConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Records on standard output, behind the line that says where the collector listens."""

    is_on: bool = False
    """Whether records are written to standard output."""
    format: Format = Format.HUMAN
    """How a record is written."""
    lag_bytes: int = 256 << 20
    """A reader that is further behind loses the oldest records, counted; 0: never, the journal fills."""


class StdoutSink(SinkWithoutUpkeep):
    """A `Sink`. A crash between a write and its noting repeats that write's records."""

    kind = "stdout"
    read_bytes = 256 << 10

    def __init__(self, form: Format, fd: int = 1) -> None:
        self._render = None if form is Format.JSON else renderer(form)
        self._fd = fd
        self._rest = b""
        self._count = 0
        self._position = -1
        self._done_bytes = 0

    def recover(self, state: bytes) -> None:
        """See `Sink`; what the reader has cannot be taken back, so a try goes on within its line."""

    def prepare(self, batches: Sequence[StoredBatch]) -> bytes:
        """See `Sink`."""
        lines = b"".join(batch.unpack_records() for batch in batches)
        self._count = sum(batch.record_count for batch in batches)
        if self._render is not None:
            lines = b"".join(self._render(line) for line in lines[:-1].split(b"\n")) if lines else b""
        if batches[0].position != self._position:
            self._position, self._done_bytes = batches[0].position, 0
        self._rest = lines[self._done_bytes :]
        return b""

    def write(self) -> Written:
        """See `Sink`."""
        while self._rest:
            try:
                if not select.select([], [self._fd], [], _WRITABLE_SECONDS)[1]:
                    raise SinkError("nobody reads standard output")
                # As much as a pipe takes at once where it is ready at all.
                written = os.write(self._fd, self._rest[: select.PIPE_BUF])
            except (OSError, ValueError) as error:
                raise SinkError(f"standard output: {error}") from error
            self._done_bytes += written
            self._rest = self._rest[written:]
        return Written(delivered=self._count)

    def close(self) -> None:
        """See `Sink`; standard output is not ours to close."""


def open_stdout(config: StdoutConfig, place: Place) -> StdoutSink:
    """Opens the sink that a configuration asks for."""
    return StdoutSink(config.format)
