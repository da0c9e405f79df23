"""Has previews made by workers: each once, however many ask, within rates for jobs and callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from encoder_service import errors
from encoder_service.clock import Clock
from encoder_service.errors import ServiceError
from encoder_service.evidence.facts import Failed
from encoder_service.jobs.job import Job
from encoder_service.pool.pool import NoWorkersError, WorkerPool
from encoder_service.pool.worker_process import WorkerDiedError, WorkerProcess, ZygoteDiedError
from encoder_service.previews.cache import Preview, PreviewCache, PreviewKey
from encoder_service.previews.config import PreviewsConfig
from encoder_service.spec.codes import FailureCode
from encoder_service.store.record import JobRecord
from encoder_service.worker_protocol import DrawPreview, Pictured
from service_host.quotas.pacing import Pacing
from service_host.status.disclosure import for_clients

SHARED_SECONDS = 0.5
"""For so long the newest picture of a size and format is the newest, however many frames have come since."""
_MOST_SECONDS = 20.0
"""Of a worker, for one picture."""
_RETRY_SECONDS = 0.5


class Newest(NamedTuple):
    """The last picture of a job's newest frame, in one size and format."""

    key: PreviewKey
    since_monotonic: float


class Previews:
    """Lives on the event loop."""

    def __init__(
        self,
        pool: WorkerPool,
        spool_path: Callable[[JobRecord], Path],
        config: PreviewsConfig,
        clock: Clock,
    ) -> None:
        self._config = config
        self._pool = pool
        self._spool_path = spool_path
        self._clock = clock
        self._cache = PreviewCache(config.cache_bytes)
        self._making: dict[PreviewKey, asyncio.Task[Preview]] = {}
        self._newest: dict[PreviewKey, Newest] = {}
        """By the key of frame -1."""
        self._turns = asyncio.Semaphore(config.at_once)
        self._jobs = Pacing(lambda _: self._config.job_per_second, clock.monotonic)
        self._callers = Pacing(lambda _: self._config.principal_per_second, clock.monotonic)

    async def get(self, key: PreviewKey, caller: str) -> Preview:
        """Returns a picture; frame -1 is the newest. Raises ServiceError.

        `caller` is the name under which the picture counts in the rate of callers.
        """
        job, ready = key.job, key.job.frames_ready
        _require_frames(job)
        if key.frame >= ready or not ready:
            raise errors.frame_not_there(job.job_id, key.frame, ready)
        if key.frame < 0:
            return await self._newest_one(key, ready - 1, caller)
        return await self._shared(key, caller)

    def configure(self, config: PreviewsConfig) -> None:
        """Puts another configuration in force; what is being made is finished by the old one."""
        if config.at_once != self._config.at_once:
            self._turns = asyncio.Semaphore(config.at_once)
        self._config = config
        self._cache.bound(config.cache_bytes)

    async def close(self) -> None:
        """Gives up what is being made; idempotent."""
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def _newest_one(self, key: PreviewKey, frame: int, caller: str) -> Preview:
        now, last = self._clock.monotonic(), self._newest.get(key)
        if last is not None and now - last.since_monotonic < SHARED_SECONDS:
            return await self._shared(last.key, caller)
        newest = key._replace(frame=frame)
        self._forget_over()
        self._newest[key] = Newest(newest, now)
        try:
            return await self._shared(newest, caller)
        except ServiceError:
            # Nobody else is to be given what failed; an earlier picture is better than none.
            self._newest.pop(key, None)
            earlier = self._cache.get(last.key) if last is not None else None
            if last is None or earlier is None or key.job.is_gone:
                raise
            self._newest[key] = last
            return earlier

    async def _shared(self, key: PreviewKey, caller: str) -> Preview:
        if (kept := self._cache.get(key)) is not None:
            return kept
        task = self._making.get(key)
        if task is None:
            self._take_turn(key.job, caller)
            task = self._making[key] = asyncio.create_task(self._make(key))
            task.add_done_callback(lambda _: self._making.pop(key, None))
        try:
            # Another caller may wait for the same picture when this one goes away.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise errors.draining() from None
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    def _take_turn(self, job: Job, caller: str) -> None:
        for pacing, holder, quota in (
            (self._jobs, job.key, "previews.job_per_second"),
            (self._callers, caller, "previews.principal_per_second"),
        ):
            wait_seconds, _, rate = pacing.wait_seconds((holder,))
            if wait_seconds > 0:
                raise errors.too_many_previews(quota, rate, max(wait_seconds, 1 / rate))
        if len(self._making) >= self._config.at_once + self._config.waiting:
            raise errors.too_many_previews("previews.waiting", self._config.waiting, _RETRY_SECONDS)
        self._jobs.take((job.key,), 1)
        self._callers.take((caller,), 1)

    async def _make(self, key: PreviewKey) -> Preview:
        async with self._turns:
            _require_frames(key.job)
            answer = await self._ask(key)
        if isinstance(answer, Failed):
            raise _refusal(key.job, answer)
        if not answer.image.startswith(key.format.beginning):
            raise errors.temporarily_unavailable("a worker made no picture of the format that was asked for")
        preview = Preview(
            answer.image, key.format, key.frame, answer.width, answer.height, self._clock.unix_nano()
        )
        if not key.job.is_gone:
            self._cache.put(key, preview)
        return preview

    async def _ask(self, key: PreviewKey) -> Pictured | Failed:
        record = key.job.record
        order = DrawPreview(
            video=record.spec.video,
            spool_path=str(self._spool_path(record)),
            frame=key.frame,
            max_side=key.max_side,
            format=key.format,
            confinement=self._pool.settings.confinement,
        )
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                try:
                    return await self._drawn(order)
                except ZygoteDiedError:
                    # Hardly this frame's doing; the next one is started by whoever asks first.
                    return await self._drawn(order)
        except TimeoutError:
            raise _unavailable(key.job, f"it took more than {_MOST_SECONDS:g} s") from None
        except (NoWorkersError, WorkerDiedError, OSError) as error:
            raise _unavailable(key.job, str(error)) from error

    async def _drawn(self, order: DrawPreview) -> Pictured | Failed:
        async with self._pool.aside() as worker:
            return await _answer(worker, order)

    def _forget_over(self) -> None:
        for key in [key for key in self._newest if key.job.is_gone]:
            del self._newest[key]


async def _answer(worker: WorkerProcess, order: DrawPreview) -> Pictured | Failed:
    worker.send(order)
    while True:
        event = await worker.receive()
        if isinstance(event, Pictured | Failed):
            return event


def _require_frames(job: Job) -> None:
    if job.is_forgotten:
        raise errors.job_not_found(job.job_id)
    if job.is_over:
        raise errors.wrong_state(
            f"job {job.job_id!r} has ended and its frames are gone; see its artifacts", job.state.value
        )


def _refusal(job: Job, failed: Failed) -> ServiceError:
    if failed.code == FailureCode.SPOOL_DAMAGED:
        return errors.job_damaged(job.job_id)
    return _unavailable(job, failed.message)


def _unavailable(job: Job, why: str) -> ServiceError:
    """What failed because the job ended meanwhile is reported as that."""
    try:
        _require_frames(job)
    except ServiceError as gone:
        return gone
    if job.is_ending:
        return errors.wrong_state(f"job {job.job_id!r} is ending and its frames go", job.state.value)
    return errors.temporarily_unavailable(f"the preview could not be made: {for_clients(why)}")
