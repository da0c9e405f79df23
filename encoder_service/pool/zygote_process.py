"""The service's side of a zygote: starts it, asks it for workers, and learns how they end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from encoder_service.evidence.facts import Walls
from encoder_service.pool.environment import worker_environment
from encoder_service.pool.settings import PoolSettings
from encoder_service.pool.stderr_tail import StderrTail
from encoder_service.zygote_protocol import (
    Ended,
    Fork,
    Forked,
    NotForked,
    Report,
    ZygoteReady,
    receive,
    send,
)

PROGRAM = ("-m", "encoder_service.worker.process.zygote")
_CLOSE_SECONDS = 2.0


class WorkerDiedError(Exception):
    """The process ended while it was needed; the message says how, with the end of its standard error."""


class WorkerOutOfMemoryError(WorkerDiedError):
    """The process was killed because it took more memory than it may."""


class ZygoteDiedError(WorkerDiedError):
    """The program that workers are forked from ended, and they with it: no output is to blame."""


@dataclass(slots=True, eq=False)
class Birth:
    """A process that was forked."""

    pid: int
    pidfd: int | None
    """Means this very process; None where the kernel has no such thing. The holder of the birth closes it."""
    ended: asyncio.Future[Ended] = field(repr=False)
    """Fails with ZygoteDiedError when nobody is left to say."""
    _is_closed: bool = False

    def kill(self) -> None:
        """SIGKILL, if it is still there."""
        if self._is_closed or (self.ended.done() and not self.ended.exception()):
            return
        try:
            if self.pidfd is not None:
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Gives the pidfd back, once the process is gone; idempotent."""
        self._is_closed = True
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


class ZygoteProcess:
    """A started zygote. Lives on the event loop."""

    def __init__(self, process: Process, connection: socket.socket) -> None:
        self._process = process
        self._connection = connection
        self._stderr = StderrTail(process.stderr)
        self._decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
        self._is_ready: asyncio.Future[ZygoteReady] = asyncio.get_running_loop().create_future()
        self._asked: dict[int, asyncio.Future[Birth]] = {}
        self._living: dict[int, asyncio.Future[Ended]] = {}
        self._number = 0
        self.is_lost = False
        """It has ended, or does not answer."""
        asyncio.get_running_loop().add_reader(connection.fileno(), self._read)

    @classmethod
    async def start(cls, settings: PoolSettings, program: Sequence[str] = PROGRAM) -> ZygoteProcess:
        """Starts one and waits until it is ready. Raises ZygoteDiedError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        # -P, and the root as working directory: modules that lie where the service was started are not ours.
        command = (*settings.wrapper, sys.executable, "-P", *program, str(theirs.fileno()))
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
                env=worker_environment(os.environ, settings.environment, settings.niceness),
                cwd="/",
                pass_fds=(theirs.fileno(),),
                # Its own session: Ctrl-C in a terminal reaches the service alone, which then drains.
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ZygoteDiedError(f"{command[0]} cannot be started: {error}") from error
        finally:
            theirs.close()
        zygote = cls(process, ours)
        try:
            async with asyncio.timeout(settings.start_timeout_seconds):
                await asyncio.shield(zygote._is_ready)
        except TimeoutError as error:
            await zygote.close()
            seconds = settings.start_timeout_seconds
            raise ZygoteDiedError(f"the workers' program was not ready after {seconds:g} s") from error
        except ZygoteDiedError as error:
            await zygote.close()
            raise ZygoteDiedError(zygote._exit_message()) from error
        except BaseException:
            await zygote.close()
            raise
        return zygote

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def walls(self) -> Walls:
        """Those that a worker can be held to here."""
        return self._is_ready.result().walls

    async def fork(self, descriptors: Sequence[int], memory_bytes: int = 0) -> Birth:
        """Has a worker forked that gets orders, events and standard error. Raises WorkerDiedError.

        `memory_bytes`: what it may take of its own before it is killed; 0: no bound.
        """
        if self.is_lost:
            raise ZygoteDiedError(self._exit_message())
        self._number += 1
        future: asyncio.Future[Birth] = asyncio.get_running_loop().create_future()
        self._asked[self._number] = future
        try:
            send(self._connection, Fork(self._number, memory_bytes), descriptors)
        except OSError as error:
            self._lose()
            raise ZygoteDiedError(self._exit_message()) from error
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_give_up)
            raise

    def give_up(self) -> None:
        """Takes it for lost, because it does not answer; `close` ends it."""
        self._lose()

    async def close(self) -> None:
        """Ends it, and every worker with it; returns when the process is gone. Idempotent."""
        self._lose()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._stderr.close()

    def _read(self) -> None:
        try:
            data, descriptors = receive(self._connection)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            self._lose()
            return
        self._take(self._decoder.decode(data), descriptors)

    def _take(self, report: Report, descriptors: list[int]) -> None:
        match report:
            case ZygoteReady():
                if not self._is_ready.done():
                    self._is_ready.set_result(report)
            case Forked(number, pid):
                self._living[pid] = asyncio.get_running_loop().create_future()
                pidfd = descriptors.pop() if descriptors else None
                self._asked.pop(number).set_result(Birth(pid, pidfd, self._living[pid]))
            case NotForked(number, reason):
                self._asked.pop(number).set_exception(WorkerDiedError(reason))
            case Ended(pid):
                if (living := self._living.pop(pid, None)) is not None:
                    living.set_result(report)
        for descriptor in descriptors:
            os.close(descriptor)

    def _lose(self) -> None:
        if self.is_lost:
            return
        self.is_lost = True
        asyncio.get_running_loop().remove_reader(self._connection.fileno())
        self._connection.close()
        futures: list[asyncio.Future[Any]] = [self._is_ready, *self._asked.values(), *self._living.values()]
        for future in futures:
            if not future.done():
                future.set_exception(ZygoteDiedError("the workers' program ended"))
                future.exception()  # the caller that waits gets it; where nobody waits, it is no fault
        self._asked.clear()
        self._living.clear()

    def _exit_message(self) -> str:
        return f"the workers' program {self._stderr.describe(self._process.returncode)}"


def _give_up(asked: asyncio.Future[Birth]) -> None:
    """Ends a worker that nobody waits for any more."""
    if not asked.cancelled() and asked.exception() is None:
        asked.result().kill()
        asked.result().close()
