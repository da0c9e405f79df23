"""The last lines that a process wrote to its standard error, kept for the report of its end."""

from __future__ import annotations

import asyncio
import signal
from collections import deque

_LINES = 20
_LINE_CHARS = 300
_BURST_BYTES = 64 << 10
_PAUSE_SECONDS = 0.02
"""After each burst: a process that writes without end waits on its own pipe, and the service does not."""


class StderrTail:
    """Reads until the process ends, so that its pipe is never full. Lives on the event loop."""

    def __init__(self, stream: asyncio.StreamReader | None) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._rest = b""
        self._listening = asyncio.create_task(self._listen(stream))

    async def close(self) -> None:
        """Returns when there is no more to come; call it when the process is gone. Idempotent."""
        await asyncio.wait([self._listening])

    def describe(self, exit_code: int | None) -> str:
        """Says how the process ended, and with which lines."""
        if exit_code is None:
            how = "ended"
        elif exit_code < 0:
            how = f"was killed by {_signal_name(-exit_code)}"
        else:
            how = f"ended with exit code {exit_code}"
        lines = [*self._lines, self._rest.decode(errors="replace")[:_LINE_CHARS]]
        text = " | ".join(line for line in lines if line.strip())
        return how + (f"; its standard error ends with: {text}" if text else "")

    async def _listen(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None  # noqa: S101 - the process was started with a pipe
        burst_bytes = 0
        while data := await stream.read(4096):
            burst_bytes += len(data)
            if burst_bytes >= _BURST_BYTES:
                await asyncio.sleep(_PAUSE_SECONDS)
                burst_bytes = 0
            *lines, rest = (self._rest + data).split(b"\n")
            self._lines.extend(line.decode(errors="replace")[:_LINE_CHARS] for line in lines)
            self._rest = rest[-_LINE_CHARS:]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
