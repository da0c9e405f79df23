"""One worker process: has it forked, speaks work.py with it over pipes, and makes sure that it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import BinaryIO

import msgspec

from encoder_service.evidence.facts import Failed, Produced
from encoder_service.pool.allowance import BURST, Allowance
from encoder_service.pool.settings import PoolSettings
from encoder_service.pool.stderr_tail import StderrTail
from encoder_service.pool.zygote_process import (
    Birth,
    WorkerDiedError,
    WorkerOutOfMemoryError,
    ZygoteDiedError,
    ZygoteProcess,
)
from encoder_service.worker_protocol import (
    Assignment,
    Cancel,
    DrawPreview,
    Event,
    Logged,
    Order,
    Pictured,
    Probe,
    Probed,
    Ready,
)

__all__ = ["WorkerDiedError", "WorkerOutOfMemoryError", "WorkerProcess", "ZygoteDiedError"]

_LINE_BYTES = 64 << 20
"""Of an answer, which names each file of a sequence."""
_EVENT_BYTES = 256 << 10
"""Of everything else."""
_LINE_CHARS = 300
_UNSENT_BYTES = 16 << 10
_CLOSE_SECONDS = 2.0

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


class WorkerProcess:
    """A worker for one assignment. Its holder alone sends and receives."""

    def __init__(
        self,
        birth: Birth,
        orders: asyncio.WriteTransport,
        events: asyncio.StreamReader,
        stderr: StderrTail,
    ) -> None:
        self._birth = birth
        self._orders = orders
        self._events = events
        self._stderr = stderr
        self._allowance = Allowance()
        self.is_used = False
        """It has had its assignment."""
        self.memory_bytes = 0
        """What it may take of its own. 0: no bound."""
        self.is_broken = False
        """It died, or nobody knows what it is doing."""

    @classmethod
    async def start(cls, settings: PoolSettings, zygote: ZygoteProcess) -> WorkerProcess:
        """Has a worker forked and waits until it is ready. Raises WorkerDiedError."""
        memory_bytes = settings.confinement.memory_bytes
        try:
            async with asyncio.timeout(settings.start_timeout_seconds):
                worker = await _fork(zygote, memory_bytes)
        except TimeoutError as error:
            zygote.give_up()
            seconds = settings.start_timeout_seconds
            raise ZygoteDiedError(f"the workers' program did not answer for {seconds:g} s") from error
        worker.memory_bytes = memory_bytes
        try:
            async with asyncio.timeout(settings.start_timeout_seconds):
                event = await worker.receive()
        except TimeoutError as error:
            await worker.kill()
            seconds = settings.start_timeout_seconds
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
        return self._birth.pid

    @property
    def has_unsent_orders(self) -> bool:
        """It does not read its orders; sending more would only fill memory."""
        return self._orders.get_write_buffer_size() > _UNSENT_BYTES

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Calls back on the event loop when the process has ended, however it did."""
        self._birth.ended.add_done_callback(lambda _: callback())

    def send(self, order: Order) -> None:
        """Sends an order without waiting; one to a dead worker is lost, `receive` reports its end."""
        if isinstance(order, Assignment | Probe | DrawPreview):
            self.is_used = True
        if not self._orders.is_closing():
            self._orders.write(_encoder.encode(order) + b"\n")

    async def receive(self) -> Event:
        """Returns the next event. Raises WorkerDiedError once the worker has ended."""
        try:
            line = await self._events.readline()
        except ValueError as error:
            await self.kill()
            raise WorkerDiedError(f"the worker sent a line of more than {_LINE_BYTES} bytes") from error
        if not line.endswith(b"\n"):
            raise await self._exit_message()
        # Lines that lie in memory already are read without a pause in which others could work.
        if not self._allowance.spend():
            await self.kill()
            raise WorkerDiedError(f"the worker sent more than {BURST} events at once and was killed")
        event = _decoded(line)
        if len(line) > _EVENT_BYTES and not isinstance(event, Produced | Failed | Probed | Pictured):
            await self.kill()
            raise WorkerDiedError(f"the worker sent an event of {len(line)} bytes and was killed")
        return event

    def cancel(self) -> None:
        """Asks it to give up its assignment; it answers `Failed` with code CANCELLED."""
        self.send(Cancel())

    async def kill(self) -> None:
        """Ends the process at once; idempotent."""
        self.is_broken = True
        await self._end()

    async def settle(self) -> None:
        """Waits for the end of a worker that has answered; one that goes on is killed.

        Only then is what it has made as it says: it can still write into its files until it is gone.
        """
        await self.close()

    async def close(self) -> None:
        """Lets the worker end, which it does when it has answered or has no orders to come; or kills it."""
        self._orders.close()
        await asyncio.wait([self._birth.ended], timeout=_CLOSE_SECONDS)
        await self._end()

    async def _end(self) -> None:
        self._birth.kill()
        await asyncio.wait([self._birth.ended])
        if self._birth.ended.exception() is not None:
            # Nobody reports its end; the kernel has sent SIGKILL, and says when that is done.
            await _gone(self._birth)
        self._birth.close()
        if not self._orders.is_closing():
            self._orders.abort()
        await self._stderr.close()

    async def _exit_message(self) -> WorkerDiedError:
        # It has closed its events, so it is ending; killed too early, it could not say why.
        await asyncio.wait([self._birth.ended], timeout=_CLOSE_SECONDS)
        await self.kill()
        if (lost := self._birth.ended.exception()) is not None:
            return ZygoteDiedError(str(lost))
        ended = self._birth.ended.result()
        if ended.memory_bytes:
            return WorkerOutOfMemoryError(
                f"the output took {ended.memory_bytes >> 20} MiB of memory; this server's bound "
                f"(worker_memory_bytes) is {self.memory_bytes >> 20} MiB"
            )
        if ended.threads:
            return WorkerDiedError(f"the worker process had {ended.threads} threads and was killed")
        return WorkerDiedError(f"the worker process {self._stderr.describe(ended.exit_code)}")


def _decoded(line: bytes) -> Event:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, ValueError) as error:
        return Logged("warning", f"not an event: {str(error)[:_LINE_CHARS]}: {line[:_LINE_CHARS]!r}")


async def _fork(zygote: ZygoteProcess, memory_bytes: int) -> WorkerProcess:
    """Has a worker forked between three pipes: orders to it, events and standard error from it."""
    with ExitStack() as ours, ExitStack() as theirs:
        orders, send_orders = os.pipe()
        theirs.callback(os.close, orders)
        write_orders = ours.enter_context(os.fdopen(send_orders, "wb", buffering=0))
        reads: list[BinaryIO] = []
        writes: list[int] = []
        for _ in range(2):
            read, write = os.pipe()
            theirs.callback(os.close, write)
            writes.append(write)
            reads.append(ours.enter_context(os.fdopen(read, "rb", buffering=0)))
        birth = await zygote.fork((orders, *writes), memory_bytes)
        ours.pop_all()  # the transports close them from here on
    loop = asyncio.get_running_loop()
    events = asyncio.StreamReader(limit=_LINE_BYTES)
    stderr = asyncio.StreamReader()
    for reader, pipe in zip((events, stderr), reads, strict=True):
        await loop.connect_read_pipe(partial(asyncio.StreamReaderProtocol, reader), pipe)
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, write_orders)
    return WorkerProcess(birth, transport, events, StderrTail(stderr))


async def _gone(birth: Birth) -> None:
    """Waits until the process is no more, where the kernel can say so."""
    if birth.pidfd is None:
        return
    loop = asyncio.get_running_loop()
    is_gone = asyncio.Event()
    loop.add_reader(birth.pidfd, is_gone.set)
    try:
        await is_gone.wait()
    finally:
        loop.remove_reader(birth.pidfd)
