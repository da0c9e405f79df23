"""One worker process: starts it, speaks work.py with it over pipes, and makes sure that it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Sequence

import msgspec

from encoder_service.config import EncoderConfig
from encoder_service.work import Cancel, Event, Logged, Order, Ready

_LINE_BYTES = 64 << 20
_STDERR_LINES = 20
_STDERR_LINE_CHARS = 300
_UNSENT_BYTES = 16 << 10

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


class WorkerDiedError(Exception):
    """The process ended while it was needed; the message says how, with its last words."""


class WorkerProcess:
    """A started worker. Whoever holds it is the only one to send and receive."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._last_words: deque[str] = deque(maxlen=_STDERR_LINES)
        self._listening = asyncio.create_task(self._listen())
        self.assignments = 0
        """Begun so far."""
        self.is_broken = False
        """It must not be used again."""

    @classmethod
    async def start(cls, config: EncoderConfig) -> WorkerProcess:
        """Starts a worker and waits until it is ready. Raises WorkerDiedError."""
        command: Sequence[str] = config.worker_command or (sys.executable, "-m", "encoder_service.worker")
        environ = {**os.environ, "TELECINE_WORKER_NICE": str(config.worker_niceness)}
        try:
            # Its own session: Ctrl-C in a terminal reaches the service alone, which then drains.
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                limit=_LINE_BYTES,
                env=environ,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerDiedError(f"{command[0]} cannot be started: {error}") from error
        worker = cls(process)
        try:
            async with asyncio.timeout(config.worker_start_timeout_seconds):
                event = await worker.receive()
        except TimeoutError as error:
            await worker.kill()
            seconds = config.worker_start_timeout_seconds
            raise WorkerDiedError(f"the worker was not ready after {seconds:g} s") from error
        except BaseException:
            await worker.kill()
            raise
        if not isinstance(event, Ready):
            await worker.kill()
            raise WorkerDiedError(f"the worker began with {type(event).__name__} instead of Ready")
        return worker

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def has_unsent_orders(self) -> bool:
        """It does not read its orders; sending more would only fill memory."""
        writer = self._process.stdin
        return writer is not None and writer.transport.get_write_buffer_size() > _UNSENT_BYTES

    def send(self, order: Order) -> None:
        """Sends an order without waiting; one to a dead worker is lost, `receive` tells of it."""
        writer = self._process.stdin
        if writer is not None and not writer.is_closing():
            writer.write(_encoder.encode(order) + b"\n")

    async def receive(self) -> Event:
        """Returns the next event. Raises WorkerDiedError once there is none to come."""
        assert self._process.stdout is not None  # noqa: S101 - it was made with a pipe
        try:
            line = await self._process.stdout.readline()
        except ValueError as error:
            await self.kill()
            raise WorkerDiedError(f"the worker sent a line of more than {_LINE_BYTES} bytes") from error
        if not line.endswith(b"\n"):
            raise WorkerDiedError(await self._obituary())
        try:
            return _decoder.decode(line)
        except msgspec.MsgspecError:
            return Logged("warning", f"not an event: {line[:_STDERR_LINE_CHARS]!r}")

    def cancel(self) -> None:
        """Asks it to give up its assignment; it answers `Failed` with code CANCELLED."""
        self.send(Cancel())

    async def kill(self) -> None:
        """Ends the process at once, with whatever it has started; idempotent."""
        self.is_broken = True
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        await self._reap()

    async def close(self) -> None:
        """Ends an idle worker by closing its stdin, and kills it when it does not go."""
        self.is_broken = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(2.0):
                await self._process.wait()
        except TimeoutError:
            pass
        await self.kill()

    async def _reap(self) -> None:
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        """Keeps the last lines of stderr, and the pipe empty."""
        stream = self._process.stderr
        assert stream is not None  # noqa: S101 - it was made with a pipe
        rest = b""
        while data := await stream.read(4096):
            *lines, rest = (rest + data).split(b"\n")
            self._last_words.extend(line.decode(errors="replace")[:_STDERR_LINE_CHARS] for line in lines)
            rest = rest[-_STDERR_LINE_CHARS:]

    async def _obituary(self) -> str:
        await self.kill()
        code = self._process.returncode or 0
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        words = " | ".join(line for line in self._last_words if line.strip())
        return f"the worker process {how}" + (f"; its last words: {words}" if words else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
