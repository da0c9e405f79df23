"""Keeps as many workers ready as there are slots: lends them out, replaces each after use, ends them all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from encoder_service.evidence.facts import Walls
from encoder_service.pool.settings import PoolSettings
from encoder_service.pool.worker_process import WorkerDiedError, WorkerProcess
from encoder_service.pool.zygote_process import PROGRAM, ZygoteProcess

_BACKOFF_SECONDS = (0.0, 0.1, 0.5, 2.0, 5.0, 10.0, 30.0)


class NoWorkersError(Exception):
    """No worker can be started here; the message says why the last one was not."""


class PoolObserver(Protocol):
    """Is notified of what happens to workers; must not block."""

    def worker_idle(self) -> None:
        """One more can be lent."""
        ...

    def worker_lost(self, reason: str) -> None:
        """One died or was given up; another is being started."""
        ...

    def workers_unavailable(self, reason: str) -> None:
        """Starts have failed again and again and none succeeds; they are tried on."""
        ...

    def workers_available(self) -> None:
        """After `workers_unavailable`: a worker is ready again."""
        ...

    def walls_tried(self, walls: Walls) -> None:
        """Which walls workers can be held to here; each time that a zygote is started."""
        ...


class WorkerPool:
    """As many workers as there are slots, forked by one zygote. Made, used and closed on one event loop.

    `program`: the zygote's, for tests.
    """

    def __init__(
        self, settings: PoolSettings, observer: PoolObserver, program: Sequence[str] = PROGRAM
    ) -> None:
        self.settings = settings
        self._program = program
        self._zygote: ZygoteProcess | None = None
        self._zygote_lock = asyncio.Lock()
        self._observer = observer
        self._idle: list[WorkerProcess] = []
        self._lent: set[WorkerProcess] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._aside: set[WorkerProcess] = set()
        self._wanting: deque[asyncio.Future[WorkerProcess]] = deque()
        self._is_closed = False
        self._coming = 0
        self._ready_count = 0
        """Workers that have ever become ready."""
        self._idle_deaths = 0
        """Workers that died unused, one after the other."""
        self.restarts = 0
        """Workers started to replace broken ones."""
        self.unavailable_reason = ""
        """Why no worker can be started; empty: there are some, or nobody knows yet."""

    @property
    def idle_count(self) -> int:
        """Workers that can be lent now."""
        return len(self._idle)

    @property
    def size(self) -> int:
        """How many workers may live at once."""
        return self.settings.size

    def open(self) -> None:
        """Begins to start all workers; each is announced when it is ready."""
        for _ in range(self.size):
            self._spawn()

    def resize(self) -> None:
        """Starts the workers that a new configuration asks for, or ends idle ones; busy ones end later."""
        while self._count < self.size:
            self._spawn()
        while self._count > self.size and self._idle:
            self._end(self._idle.pop())

    @property
    def _count(self) -> int:
        return len(self._idle) + len(self._lent) + self._coming

    def take(self) -> WorkerProcess | None:
        """Lends an idle worker; None if all are busy. It is given back by `give_back`."""
        if not self._idle:
            return None
        worker = self._idle.pop()
        self._lent.add(worker)
        self._idle_deaths = 0
        return worker

    async def wait_for_one(self) -> WorkerProcess:
        """Waits for a worker, before everybody who takes idle ones; it is given back by `give_back`.

        Raises NoWorkersError as soon as none can be started.
        """
        worker = self.take()
        if worker is not None:
            return worker
        if self.unavailable_reason:
            raise NoWorkersError(self.unavailable_reason)
        future: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self._wanting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and not future.exception():
                self.give_back(future.result())
            raise

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[WorkerProcess]:
        """A worker beside the slots, for something short that is not to wait for an output; it ends with it.

        Raises NoWorkersError, WorkerDiedError.
        """
        if self._is_closed or self.unavailable_reason:
            raise NoWorkersError(self.unavailable_reason or "the service is shutting down")
        worker = await WorkerProcess.start(self.settings, await self._living_zygote())
        self._aside.add(worker)
        try:
            if self._is_closed:
                raise NoWorkersError("the service is shutting down")
            yield worker
        finally:
            await asyncio.shield(worker.kill())
            self._aside.discard(worker)

    def give_back(self, worker: WorkerProcess, *, failures: int = 0) -> None:
        """Takes a worker back: ends it, and starts another; one that was never used is lent again.

        `failures`: how many of its predecessors failed in a row, for the pause before the next one.
        """
        self._lent.discard(worker)
        if not self._is_closed and not worker.is_used and not worker.is_broken and self._count < self.size:
            self._offer(worker)
            return
        self._end(worker)
        if self._is_closed or self._count >= self.size:
            return
        if worker.is_broken:
            self.restarts += 1
            self._observer.worker_lost("broken")
        self._spawn(failures)

    async def close(self) -> None:
        """Ends every worker, lent ones too; returns when no process is left. Idempotent."""
        self._is_closed = True
        for task in self._starting:
            task.cancel()
        for worker in self._idle:
            self._end(worker)
        self._idle.clear()
        await asyncio.gather(*(worker.kill() for worker in (*self._lent, *self._aside)))
        while tasks := self._starting | self._ending:
            await asyncio.wait(tasks)
        if self._zygote is not None:
            await self._zygote.close()

    def _spawn(self, failures: int = 0) -> None:
        self._coming += 1
        task = asyncio.create_task(self._start(failures))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start(self, failures: int) -> None:
        """Starts a worker, however often that fails; `failures`: so many went before."""
        ready_before = self._ready_count
        while True:
            await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
            try:
                worker = await WorkerProcess.start(self.settings, await self._living_zygote())
            except (WorkerDiedError, OSError) as error:
                # No descriptor or no memory is left: this passes, and nobody else starts workers.
                failures += 1
                self._observer.worker_lost(str(error))
                if failures >= self.settings.start_attempts and self._ready_count == ready_before:
                    self._give_up_waiting(str(error))
                continue
            break
        self._coming -= 1
        self._note_ready()
        if self._is_closed or self._count >= self.size:
            await worker.close()
            return
        worker.when_ended(partial(self._forget, worker))
        self._offer(worker)

    def _note_ready(self) -> None:
        self._ready_count += 1
        if self.unavailable_reason:
            self.unavailable_reason = ""
            self._observer.workers_available()

    def _give_up_waiting(self, reason: str) -> None:
        """Nobody waits in silence for workers that cannot be started; starting them is tried on."""
        was_known, self.unavailable_reason = bool(self.unavailable_reason), reason
        while self._wanting:
            future = self._wanting.popleft()
            if not future.done():
                future.set_exception(NoWorkersError(reason))
        if not was_known:
            self._observer.workers_unavailable(reason)

    def _forget(self, worker: WorkerProcess) -> None:
        """Replaces a worker that died before it was lent, so that nobody gets it."""
        if worker in self._idle and not self._is_closed:
            self._idle.remove(worker)
            worker.is_broken = True
            # The first one may have been killed by anybody; where each dies, so will the next one.
            self._idle_deaths += 1
            self.give_back(worker, failures=self._idle_deaths - 1)

    async def try_walls(self) -> Walls:
        """Which walls workers can be held to here. Raises WorkerDiedError."""
        return (await self._living_zygote()).walls

    async def _living_zygote(self) -> ZygoteProcess:
        async with self._zygote_lock:
            if self._zygote is not None and self._zygote.is_lost:
                await self._zygote.close()
                self._zygote = None
            if self._zygote is None:
                self._zygote = await ZygoteProcess.start(self.settings, self._program)
                self._observer.walls_tried(self._zygote.walls)
            return self._zygote

    def _offer(self, worker: WorkerProcess) -> None:
        self._idle.append(worker)
        while self._wanting:
            future = self._wanting.popleft()
            if not future.done() and (taken := self.take()) is not None:
                future.set_result(taken)
                return
        self._observer.worker_idle()

    def _end(self, worker: WorkerProcess) -> None:
        task = asyncio.create_task(worker.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
