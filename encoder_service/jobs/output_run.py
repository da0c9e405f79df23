"""One attempt at one output on one worker: says how far it may read, takes its events, stops it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from encoder_service.clock import Clock
from encoder_service.data_layout import AUDIO_FILE_NAME, PICTURES
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.jobs.job import Job, OutputView, StopReason
from encoder_service.jobs.limits import AttemptSettings
from encoder_service.pool.disk_usage import measure
from encoder_service.pool.worker_process import (
    WorkerDiedError,
    WorkerOutOfMemoryError,
    WorkerProcess,
    ZygoteDiedError,
)
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.spec import OutputSpec
from encoder_service.store.record import OutputState
from encoder_service.worker_protocol import Assignment, HighWatermark, Logged, OutputPhase, Progress, Warned
from service_host.status.disclosure import for_clients

WATERMARK_PAUSE_SECONDS = 0.02
CANCEL_GRACE_SECONDS = 1.0
DISK_LOOK_SECONDS = 0.5
_LOOK_SHARE = 20
"""A look that took long is followed by so many times its duration without one."""
_FILES_BESIDES_FRAMES = 64


class Stopped(msgspec.Struct, frozen=True):
    """The run was stopped and is no attempt: nothing is known about the output."""

    reason: StopReason


class OutputRun:
    """Lives on the event loop. `run` is called once; the worker is the run's until it returns."""

    def __init__(
        self,
        job: Job,
        output: OutputSpec,
        attempt: int,
        worker: WorkerProcess,
        settings: AttemptSettings,
        clock: Clock,
    ) -> None:
        self.job = job
        self.output = output
        self.attempt = attempt
        self.started_at_unix_nano = clock.unix_nano()
        self.verifying_since_unix_nano = 0
        self._worker = worker
        self._settings = settings
        self._clock = clock
        self._stop_reason: StopReason | None = None
        self._killer: asyncio.Task[None] | None = None
        self._sent = HighWatermark(0, is_complete=False)
        self._active_monotonic = clock.monotonic()
        self._excess = ""
        """Which bound of the disk the worker exceeded, in words."""
        self._is_done = False
        self._recorded = asyncio.Event()

    @property
    def is_starved(self) -> bool:
        """It has worked on every frame that it was given, and more are to come."""
        view = self.job.views[self.output.name]
        return (
            not self._sent.is_complete
            and view.state is OutputState.ENCODING
            and view.frames_encoded >= self._sent.frames
        )

    @property
    def inactive_seconds(self) -> float:
        """Since the last progress, or since frames last came."""
        return self._clock.monotonic() - self._active_monotonic

    async def run(self, directory: Path, spool_path: Path) -> Produced | Failed | Stopped:
        """Returns the worker's answer, or why it gave none."""
        self._worker.send(self._assignment(directory, spool_path))
        helpers = [asyncio.create_task(self._feed()), asyncio.create_task(self._watch_disk(directory))]
        result: Produced | Failed
        try:
            result = await self._hear()
            if isinstance(result, Produced):
                self._excess = await self._find_excess(directory)
        except ZygoteDiedError as error:
            self.job.log("warning", f"{self.output.name}: {error}")
            deaths = self.job.zygote_deaths.get(self.output.name, 0) + 1
            self.job.zygote_deaths[self.output.name] = deaths
            if deaths <= self._settings.zygote_deaths:
                # Hardly the output's doing, so it does not cost one of its attempts; but not for ever.
                self._stop_reason = self._stop_reason or StopReason.ZYGOTE_DIED
            result = Failed(FailureCode.CODEC_CRASHED, for_clients(str(error)), is_retryable=True)
        except WorkerOutOfMemoryError as error:
            # Another try would need as much.
            result = Failed(FailureCode.OUT_OF_MEMORY, for_clients(str(error)), is_retryable=False)
        except WorkerDiedError as error:
            result = Failed(FailureCode.CODEC_CRASHED, for_clients(str(error)), is_retryable=True)
        except BaseException:
            # Nobody knows what the worker is doing now.
            self._worker.is_broken = True
            raise
        finally:
            for helper in helpers:
                helper.cancel()
            self._is_done = True
            if self._killer is not None:
                self._killer.cancel()
            await asyncio.wait(helpers)
        return self._checked(result)

    def _assignment(self, directory: Path, spool_path: Path) -> Assignment:
        return Assignment(
            job_id=self.job.job_id,
            output=self.output,
            video=self.job.record.spec.video,
            spool_path=str(spool_path),
            directory=str(directory),
            attempt=self.attempt,
            threads=self._settings.threads,
            max_artifact_bytes=self._settings.max_artifact_bytes,
            metadata=self.job.record.spec.metadata if self.output.overlays else {},
            pictures_directory=str(spool_path.parent / PICTURES),
            font_directories=self._settings.font_directories,
            fallback_font_directories=self._settings.fallback_font_directories
            if self.output.overlays
            else (),
            confinement=self._settings.confinement,
            allowed_options=self._settings.allowed_options,
            audio=self.job.record.spec.audio,
            audio_path=str(spool_path.with_name(AUDIO_FILE_NAME))
            if self.job.record.spec.audio is not None
            else "",
        )

    def stop(self, reason: StopReason) -> None:
        """Ends the run: asks the worker, and kills it when it does not answer. The first reason counts."""
        if self._stop_reason is not None or self._is_done:
            return
        self._stop_reason = reason
        if reason is not StopReason.HUNG:
            self._worker.cancel()
        grace = 0.0 if reason is StopReason.HUNG else CANCEL_GRACE_SECONDS
        self._killer = asyncio.create_task(self._kill_after(grace))

    def mark_recorded(self) -> None:
        """The run's result, whichever it was, has been taken in."""
        self._recorded.set()

    async def recorded(self) -> None:
        """Waits for `mark_recorded`."""
        await self._recorded.wait()

    async def _kill_after(self, grace_seconds: float) -> None:
        await asyncio.sleep(grace_seconds)
        await asyncio.shield(self._worker.kill())

    def _checked(self, result: Produced | Failed) -> Produced | Failed | Stopped:
        if self._excess:
            message = f"the output was ended: {self._excess}; ask for a lower quality, size or frame rate"
            return Failed(FailureCode.OUTPUT_TOO_LARGE, message, is_retryable=False)
        if isinstance(result, Produced) or self._stop_reason is None:
            return result
        if self._stop_reason is StopReason.HUNG:
            frame = self.job.views[self.output.name].frames_encoded
            seconds = self._settings.silence_timeout_seconds
            message = f"the worker made no progress for {seconds:g} s after frame {frame} and was killed"
            return Failed(FailureCode.WORKER_HUNG, message, is_retryable=True)
        return Stopped(self._stop_reason)

    async def _hear(self) -> Produced | Failed:
        while True:
            event = await self._worker.receive()
            match event:
                case Produced():
                    return event
                case Failed():
                    # A worker handles strangers' data: what it says is not taken for clean.
                    return msgspec.structs.replace(event, message=for_clients(event.message))
                case Progress():
                    self._note_progress(event)
                case Warned():
                    self.job.warn(event.code, event.message, self.output.name)
                case Logged():
                    self.job.log(event.level, f"{self.output.name}: {event.message}")
                case _:
                    self.job.log("warning", f"{self.output.name}: unexpected {type(event).__name__}")

    def _note_progress(self, event: Progress) -> None:
        is_verifying = event.phase is OutputPhase.VERIFYING
        if is_verifying and not self.verifying_since_unix_nano:
            self.verifying_since_unix_nano = self._clock.unix_nano()
        view = OutputView(
            state=OutputState.VERIFYING if is_verifying else OutputState.ENCODING,
            frames_encoded=event.frames_encoded,
            bytes_written=event.bytes_written,
            attempt=self.attempt,
        )
        before = self.job.views[self.output.name]
        if view == before:
            return
        self._active_monotonic = self._clock.monotonic()
        if before.state is not view.state:
            self.job.log("info", f"{self.output.name}: {view.state} after frame {view.frames_encoded}")
        self.job.set_view(self.output.name, view)

    async def _watch_disk(self, directory: Path) -> None:
        """Kills a worker that takes more of the disk than its output may."""
        pause_seconds = DISK_LOOK_SECONDS
        while not self._excess:
            await asyncio.sleep(pause_seconds)
            began = self._clock.monotonic()
            self._excess = await self._find_excess(directory)
            pause_seconds = max(DISK_LOOK_SECONDS, _LOOK_SHARE * (self._clock.monotonic() - began))
        await asyncio.shield(self._worker.kill())

    async def _find_excess(self, directory: Path) -> str:
        bounds = self._settings.max_output_bytes, self.job.frames_ready + _FILES_BESIDES_FRAMES
        usage = await asyncio.to_thread(measure, directory, self._worker.pid, *bounds)
        return usage.excess(*bounds)

    async def _feed(self) -> None:
        """Informs the worker how far it may read, coalesced, and at once when all frames are here."""
        subscription = self.job.subscribe(WATERMARK_PAUSE_SECONDS)
        try:
            while not self._sent.is_complete:
                mark = HighWatermark(
                    self.job.frames_ready,
                    is_complete=self.job.record.is_complete,
                    samples=self.job.samples_ready,
                )
                if mark != self._sent and not self._worker.has_unsent_orders:
                    self._worker.send(mark)
                    self._sent = mark
                    self._active_monotonic = self._clock.monotonic()
                await subscription.next(1.0)
        finally:
            self.job.unsubscribe(subscription)
