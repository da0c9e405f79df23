"""Puts waiting outputs on workers and takes in what comes of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from functools import partial

import structlog

from encoder_service.clock import Clock
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.jobs.ending import Ending
from encoder_service.jobs.job import Job, OutputView, Run, StopReason
from encoder_service.jobs.job_files import JobFiles
from encoder_service.jobs.limits import DispatchLimits
from encoder_service.jobs.output_run import OutputRun, Stopped
from encoder_service.jobs.publishing import Publisher
from encoder_service.pool import scheduler
from encoder_service.pool.pool import WorkerPool
from encoder_service.pool.worker_process import WorkerProcess
from encoder_service.spec.codes import FailureCode
from encoder_service.store.record import OutputState

_REMEMBERED_TURNS = 1000


class Dispatcher:
    """Lives on the event loop. `jobs` is the live view of all jobs that have not ended."""

    def __init__(
        self,
        jobs: dict[str, Job],
        pool: WorkerPool,
        files: JobFiles,
        publisher: Publisher,
        ending: Ending,
        limits: DispatchLimits,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._jobs = jobs
        self._pool = pool
        self._files = files
        self._publisher = publisher
        self._ending = ending
        self.limits = limits
        """May be replaced while the service runs."""
        self._clock = clock
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._turns: dict[str, int] = {}
        """Tenant to the number of its last turn."""
        self.is_paused = False
        """No output is begun (draining)."""

    # --- choosing --------------------------------------------------------------------------------

    def kick(self) -> None:
        """Begins as many waiting outputs as there are idle workers. Cheap when there is nothing to do."""
        if self.is_paused or not self._pool.idle_count:
            return
        most, sharing = self.limits.max_running_jobs, self._sharing()
        for choice in scheduler.choose(self.waiting(), self._running(), self._pool.idle_count, most, sharing):
            worker = self._pool.take()
            if worker is None:
                return
            self._turn += 1
            self._turns[choice.tenant] = self._turn
            self._begin(self._jobs[choice.job_key], choice.output, worker)

    def _sharing(self) -> scheduler.Sharing:
        records = [job.record for job in self._jobs.values()]
        if len(self._turns) > _REMEMBERED_TURNS:
            # Who has no job is forgotten, and comes first with the next one.
            present = {record.tenant for record in records}
            self._turns = {tenant: turn for tenant, turn in self._turns.items() if tenant in present}
        return scheduler.Sharing(self._turns, self.limits.quotas.most_running(records))

    @property
    def unavailable_reason(self) -> str:
        """Why no output can run here; empty: they can, or nobody knows yet."""
        return self._pool.unavailable_reason

    def relieve(self) -> int:
        """Stops runs that hang, and those that wait for frames while others could work; counts the latter."""
        runs = list(self.runs())
        for run in runs:
            limit = self.limits.attempt.silence_timeout_seconds
            if not run.is_starved and run.inactive_seconds >= limit:
                run.stop(StopReason.HUNG)
        if self.is_paused:
            return 0
        patience = self.limits.stalled_upload_seconds
        chosen = scheduler.starved(self.waiting(), self._running(), self._pool.idle_count, patience)
        for choice in chosen:
            self._jobs[choice.job_key].runs[choice.output].stop(StopReason.STARVED)
        return len(chosen)

    def runs(self) -> Iterable[Run]:
        """Everything that has a worker."""
        return (run for job in self._jobs.values() for run in job.runs.values())

    def waiting(self) -> list[scheduler.Waiting]:
        """Outputs that could run now."""
        now = self._clock.monotonic()
        return [
            scheduler.Waiting(
                job_key=job.key,
                tenant=job.record.tenant,
                holders=job.record.holders,
                output=name,
                priority=job.record.spec.priority,
                deadline_unix_nano=job.record.spec.deadline_unix_nano,
                created_at_unix_nano=job.record.created_at_unix_nano,
            )
            for job in self._jobs.values()
            if not job.is_ending and self._is_supplied(job, now)
            for name, output in job.record.outputs.items()
            if not output.state.is_final
            and name not in job.runs
            and job.not_before_monotonic.get(name, now) <= now
        ]

    def _running(self) -> list[scheduler.Running]:
        return [
            scheduler.Running(
                job_key=run.job.key,
                tenant=run.job.record.tenant,
                holders=run.job.record.holders,
                output=run.output.name,
                starved_seconds=_starved_seconds(run),
            )
            for run in self.runs()
        ]

    def _is_supplied(self, job: Job, now: float) -> bool:
        if job.record.is_complete:
            return True
        is_flowing = now - job.last_byte_monotonic < self.limits.stalled_upload_seconds
        return job.frames_ready > 0 and job.attachment is not None and is_flowing

    # --- running ---------------------------------------------------------------------------------

    def _begin(self, job: Job, name: str, worker: WorkerProcess) -> None:
        output = next(output for output in job.record.spec.outputs if output.name == name)
        attempt = len(job.record.outputs[name].attempts) + 1
        run = OutputRun(job, output, attempt, worker, self.limits.attempt, self._clock)
        job.runs[name] = run
        job.set_view(name, OutputView(OutputState.ENCODING, attempt=attempt))
        task = asyncio.create_task(self._work(run, worker))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("an output's task failed", exc_info=error)

    async def _work(self, run: OutputRun, worker: WorkerProcess) -> None:
        job, name = run.job, run.output.name
        store = self._files.store
        job.log("info", f"{name}: attempt {run.attempt} begins on worker {worker.pid}")
        try:
            try:
                directory = await self._files.retry_until_done(
                    job, name, partial(store.begin_attempt, job.record, name, run.attempt)
                )
                result = await run.run(directory, store.spool_path(job.record))
                if isinstance(result, Produced):
                    await worker.settle()
            finally:
                self._pool.give_back(worker)
            if isinstance(result, Stopped):
                await self._publisher.put_back(run, result)
            else:
                await self._record(run, result)
        finally:
            job.runs.pop(name, None)
            run.mark_recorded()
        await self._ending.settle(job)
        self.kick()

    async def _record(self, run: OutputRun, result: Produced | Failed) -> None:
        try:
            await self._publisher.record(run, result)
        except Exception as error:  # noqa: BLE001 - the job must come to its end
            self._log.error("an answer could not be taken in", exc_info=error, job_id=run.job.job_id)
            if not run.job.record.outputs[run.output.name].state.is_final:
                message = "the worker's answer could not be taken in; the service's log says why"
                await self._publisher.record(run, Failed(FailureCode.INTERNAL, message, is_retryable=False))

    # --- ending ----------------------------------------------------------------------------------

    async def stop_runs(self, reason: StopReason) -> None:
        """Stops everything that runs; returns when all of it is taken in."""
        for run in list(self.runs()):
            run.stop(reason)
        await self.idle()

    async def idle(self) -> None:
        """Returns when nothing runs and nothing is being taken in."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Gives up whatever still runs or waits for a disk; the next process takes it up."""
        self.is_paused = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))


def _starved_seconds(run: Run) -> float:
    if not run.is_starved:
        return 0.0
    # Nobody is there to send more: no reason for patience.
    return run.inactive_seconds if run.job.attachment is not None else math.inf
