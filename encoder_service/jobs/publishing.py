"""Records what an attempt came to: first the evidence, then the files' names, then clients are notified."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

import msgspec

from encoder_service import failpoints
from encoder_service.clock import Clock
from encoder_service.evidence.building import AttemptEvidence
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.jobs.events import JobEvents
from encoder_service.jobs.job import OutputView
from encoder_service.jobs.job_files import JobFiles
from encoder_service.jobs.output_run import OutputRun, Stopped
from encoder_service.spec.codes import FailureCode
from encoder_service.store.record import JobRecord, OutputRecord, OutputState
from encoder_service.store.store import MissingFileError, UnsafePathError, checked_path

FULL_DISK_PAUSE_SECONDS = 5.0
_FILES_BESIDES_FRAMES = 8
_LARGEST_RATE = 1 << 53


class Publisher:
    """Lives on the event loop."""

    def __init__(
        self,
        files: JobFiles,
        events: JobEvents,
        attempts: int,
        clock: Clock,
    ) -> None:
        """`attempts`: how often an output is tried; may be replaced while this runs."""
        self._files = files
        self._events = events
        self.attempts = attempts
        self._clock = clock

    async def put_back(self, run: OutputRun, result: Stopped) -> None:
        """Forgets a run that was stopped: its output waits again, at the same attempt."""
        job, name = run.job, run.output.name
        store = self._files.store
        job.log("info", f"{name}: attempt {run.attempt} was stopped: {result.reason}; it does not count")
        await self._files.retry_until_done(
            job, name, partial(store.drop_attempt, job.record, name, run.attempt)
        )
        job.set_view(name, OutputView(OutputState.WAITING, attempt=run.attempt))

    async def record(self, run: OutputRun, result: Produced | Failed) -> None:
        """Records an attempt; publishes its files, or lets the output wait again or fail."""
        if isinstance(result, Produced):
            failpoints.reach("output_produced")
            result = self._checked(run, result)
        evidence = AttemptEvidence(
            number=run.attempt,
            started_at_unix_nano=run.started_at_unix_nano,
            ended_at_unix_nano=self._clock.unix_nano(),
            result=result,
        )
        seconds = (evidence.ended_at_unix_nano - evidence.started_at_unix_nano) / 1e9
        if isinstance(result, Produced):
            await self._publish(run, result, evidence)
        else:
            await self._note_failure(run, result, evidence)
        state = run.job.views[run.output.name].state
        run.job.log("info", f"{run.output.name}: attempt {run.attempt} took {seconds:.3f} s; {state}")

    async def _publish(self, run: OutputRun, result: Produced, evidence: AttemptEvidence) -> None:
        job, name = run.job, run.output.name
        store = self._files.store
        for warning in result.warnings:
            job.warn(warning.code, warning.message, name)
        await self._files.retry_until_done(
            job, name, partial(store.sync_attempt, job.record, name, run.attempt)
        )
        await self._files.update_until_written(
            job, partial(_with_attempt, name, evidence, OutputState.SUCCEEDED)
        )
        failpoints.reach("evidence_recorded")
        try:
            await self._files.retry_until_done(
                job, name, partial(store.publish, job.record, name, run.attempt, result.files)
            )
        except MissingFileError as error:
            failed = Failed(
                FailureCode.FILE_MISSING, f"the worker's file {error} is not there", is_retryable=True
            )
            await self._files.update_until_written(job, partial(_without_last_attempt, name))
            await self._note_failure(run, failed, msgspec.structs.replace(evidence, result=failed))
            return
        size = sum(file.size_bytes for file in result.files if file.is_primary)
        job.set_view(name, OutputView(OutputState.SUCCEEDED, result.frames_encoded, size, run.attempt))
        await self._events.output_made(job, run.output, evidence, result)

    async def _note_failure(self, run: OutputRun, result: Failed, evidence: AttemptEvidence) -> None:
        job, name = run.job, run.output.name
        store = self._files.store
        job.log("error", f"{name}: attempt {run.attempt}: {result.code}: {result.message}")
        for warning in result.warnings:
            job.warn(warning.code, warning.message, name)
        may_retry = result.is_retryable and run.attempt < self.attempts and not job.is_ending
        state = OutputState.WAITING if may_retry else OutputState.FAILED
        await self._files.retry_until_done(
            job, name, partial(store.drop_attempt, job.record, name, run.attempt)
        )
        await self._files.update_until_written(job, partial(_with_attempt, name, evidence, state))
        if result.code == FailureCode.DISK_FULL:
            job.not_before_monotonic[name] = self._clock.monotonic() + FULL_DISK_PAUSE_SECONDS
        attempt = run.attempt + 1 if may_retry else run.attempt
        job.set_view(name, OutputView(state, attempt=attempt))
        await self._events.attempt_failed(job, run.output, evidence, result, will_retry=may_retry)

    def _checked(self, run: OutputRun, result: Produced) -> Produced | Failed:
        """What the worker says, unless it cannot be true."""
        record = run.job.record
        if result.frames_read != record.total_frames:
            message = f"the worker read {result.frames_read} of {record.total_frames} frames"
            return Failed(FailureCode.FRAMES_MISSING, message, is_retryable=True, resources=result.resources)
        taken = {file.path for file in record.files}
        if fault := _implausible(result, record.total_frames, record.total_samples):
            return Failed(
                FailureCode.IMPLAUSIBLE_ANSWER, fault, is_retryable=False, resources=result.resources
            )
        try:
            paths = [checked_path(file.path) for file in result.files]
        except UnsafePathError as error:
            return Failed(FailureCode.UNSAFE_PATH, str(error), is_retryable=False, resources=result.resources)
        if double := next((path for path in paths if _collides(path, taken)), None):
            message = f"another output has made {double!r} already; give the outputs other names"
            return Failed(FailureCode.PATH_TAKEN, message, is_retryable=False, resources=result.resources)
        return result


def _implausible(result: Produced, total_frames: int, total_samples: int) -> str:
    """What no honest worker says, in words; empty: nothing. Single values were looked at when it was read."""
    files, most = len(result.files), total_frames + _FILES_BESIDES_FRAMES
    if files > most:
        return f"the worker names {files} files; {total_frames} frames make at most {most}"
    primary = sum(file.is_primary for file in result.files)
    if not 1 <= primary <= _FILES_BESIDES_FRAMES:
        return f"the worker names {primary} files to deliver, not 1 to {_FILES_BESIDES_FRAMES}"
    if len({file.path for file in result.files}) != files:
        return "the worker names a file twice"
    sound = result.sound
    if sound is not None and sound.samples_sent != total_samples:
        return f"the worker heard {sound.samples_sent} of {total_samples} samples"
    rate = result.readback.frame_rate
    if rate.numerator < 0 or rate.denominator < 1 or max(rate.numerator, rate.denominator) > _LARGEST_RATE:
        return "the worker names a frame rate that is none"
    return ""


def _collides(path: str, taken: set[str]) -> bool:
    """Whether another output has a file of this name, or one where this needs a directory, or the reverse."""
    above = {str(parent) for parent in PurePosixPath(path).parents}
    return path in taken or bool(above & taken) or any(other.startswith(f"{path}/") for other in taken)


def _with_attempt(name: str, evidence: AttemptEvidence, state: OutputState, record: JobRecord) -> JobRecord:
    attempts = (*record.outputs[name].attempts, evidence)
    return record.with_output(name, OutputRecord(state=state, attempts=attempts))


def _without_last_attempt(name: str, record: JobRecord) -> JobRecord:
    attempts = record.outputs[name].attempts[:-1]
    return record.with_output(name, OutputRecord(attempts=attempts))
