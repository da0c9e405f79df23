"""One job in memory: its record, how far everything has come, and who wants to know."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from encoder_service.clock import Clock
from encoder_service.evidence.building import RaisedWarning
from encoder_service.jobs.story import StageLog
from encoder_service.spec.spec import OutputSpec
from encoder_service.spool.arrival import ArrivalRate
from encoder_service.spool.input_hash import InputHash
from encoder_service.spool.spool import Spool
from encoder_service.store.record import JobRecord, JobState, OutputState
from service_host.status.disclosure import for_clients

MAX_WARNINGS = 1000
MAX_WARNING_CHARS = 256 << 10
"""Of all of them together: they stand in each answer about the job."""


class StopReason(StrEnum):
    """Why a run was stopped from outside."""

    JOB_ENDS = "the job ends"
    STARVED = "it was waiting for frames while another output had some"
    DRAINING = "the service is shutting down"
    HUNG = "it made no progress"
    ZYGOTE_DIED = "the program that workers are forked from ended"


class Stream(Protocol):
    """The stream that holds a job, as everybody else sees it: `Attachment`."""

    def interrupt(self, error: Exception) -> None:
        """Makes the stream end with this error; the first one counts."""
        ...

    async def take_away(self, error: Exception) -> None:
        """Interrupts the stream and waits until it has let go of the job."""
        ...

    async def stop_receiving(self) -> None:
        """Ends the reading of requests and waits until what was taken is persisted."""
        ...


class Run(Protocol):
    """An attempt at one output that is under way, as everybody else sees it: `OutputRun`."""

    @property
    def job(self) -> Job:
        """Whose output it is."""
        ...

    @property
    def output(self) -> OutputSpec:
        """What is made."""
        ...

    @property
    def attempt(self) -> int:
        """Which try it is, from 1."""
        ...

    @property
    def started_at_unix_nano(self) -> int:
        """When the worker got its assignment."""
        ...

    @property
    def verifying_since_unix_nano(self) -> int:
        """When it began to close and read back its file; 0 before."""
        ...

    @property
    def is_starved(self) -> bool:
        """It has worked on every frame that it was given, and more are to come."""
        ...

    @property
    def inactive_seconds(self) -> float:
        """Since the last progress, or since frames last came."""
        ...

    def stop(self, reason: StopReason) -> None:
        """Stops the worker."""
        ...

    async def recorded(self) -> None:
        """Waits until the attempt's outcome stands in the record."""
        ...


class OutputView(msgspec.Struct, frozen=True):
    """How far an output is; replaced at each change, so that a stream sees by identity what is new."""

    state: OutputState
    frames_encoded: int = 0
    bytes_written: int = 0
    attempt: int = 1


class Job:
    """Lives on the event loop; blocking work on its files is done by others, one at a time (`lock`)."""

    def __init__(self, record: JobRecord, directory: Path, clock: Clock) -> None:
        self.record = record
        self.directory = directory
        self.lock = asyncio.Lock()
        """Held while the record is being replaced or files are being moved."""
        self.attach_lock = asyncio.Lock()
        """Held while one stream takes over from another."""
        self.spool: Spool | None = None
        """The frames. None once the job has ended."""
        self.audio_spool: Spool | None = None
        """The sound. None once the job has ended, and where it has none."""
        self.input_hash: InputHash | None = None
        self.audio_hash: InputHash | None = None
        self.persisted_bytes = record.bytes_received
        self.persisted_audio_bytes = record.audio_bytes_received
        self.acknowledged_bytes = record.bytes_received + record.audio_bytes_received
        """The most that was ever acknowledged to a client, in this process; of both tracks together."""
        self.last_byte_monotonic = clock.monotonic()
        self.last_sign_monotonic = self.last_byte_monotonic
        """When the client last sent anything, if only that it is there."""
        self._began = clock.unix_nano(), self.last_byte_monotonic
        self._arrival = ArrivalRate(self.persisted_bytes, self.last_byte_monotonic)
        self.updated_at_unix_nano = record.ended_at_unix_nano or self._began[0]
        """When something about it last changed, as this process saw it."""
        self.warnings: list[RaisedWarning] = list(record.warnings)
        self.views = {name: _view(record, name) for name in record.outputs}
        self.runs: dict[str, Run] = {}
        self.not_before_monotonic: dict[str, float] = {}
        """Outputs that must wait before they are tried again."""
        self.zygote_deaths: dict[str, int] = {}
        """How often the program that workers are forked from died while an output ran."""
        self.attachment: Stream | None = None
        self.is_ending = False
        """Its end is decided or being decided: nothing new is begun."""
        self.is_over = False
        """It has ended and its manifest exists."""
        self.is_forgotten = False
        """It was abandoned before a byte came, and left nothing behind."""
        self._clock = clock
        self._log = StageLog(directory / "stage.log")
        self._subscriptions: set[Subscription] = set()

    @property
    def job_id(self) -> str:
        """The client's id."""
        return self.record.job_id

    @property
    def key(self) -> str:
        """What tells it from the jobs of all tenants."""
        return self.record.key

    @property
    def state(self) -> JobState:
        """Where the job stands."""
        if self.is_over and self.record.outcome is not None:
            return JobState(self.record.outcome.value)
        if not self.record.is_complete:
            return JobState.RECEIVING
        is_begun = any(view.state is not OutputState.WAITING for view in self.views.values())
        has_tried = any(output.attempts for output in self.record.outputs.values())
        return JobState.ENCODING if is_begun or has_tried else JobState.QUEUED

    @property
    def frames_ready(self) -> int:
        """Whole frames in the spool."""
        return self.persisted_bytes // self.record.spec.video.frame_bytes

    @property
    def samples_ready(self) -> int:
        """Whole samples in the spool; 0 where the job has no sound."""
        audio = self.record.spec.audio
        return self.persisted_audio_bytes // audio.sample_bytes if audio is not None else 0

    @property
    def received_bytes(self) -> int:
        """Persisted bytes of both tracks."""
        return self.persisted_bytes + self.persisted_audio_bytes

    @property
    def is_gone(self) -> bool:
        """Whether its frames are, or are about to be, no more."""
        return self.is_over or self.is_forgotten

    @property
    def last_heard_at_unix_nano(self) -> int:
        """When the client last sent anything; never after the end."""
        unix_nano, monotonic = self._began
        at = unix_nano + int((self.last_sign_monotonic - monotonic) * 1e9)
        return min(at, self.record.ended_at_unix_nano) if self.is_over else at

    @property
    def received_frames_per_second(self) -> float:
        """Over the last seconds; 0 once all frames are here."""
        if self.record.is_complete or self.is_over:
            return 0.0
        return self._arrival.bytes_per_second(self._clock.monotonic()) / self.record.spec.video.frame_bytes

    # --- notifying -------------------------------------------------------------------------------

    def subscribe(self, pause_seconds: float) -> Subscription:
        """Returns a flag that is raised at every change, until `unsubscribe`."""
        subscription = Subscription(pause_seconds)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Ends a subscription; idempotent."""
        self._subscriptions.discard(subscription)

    def notify(self, *, is_urgent: bool = False) -> None:
        """Something about the job is new."""
        self.updated_at_unix_nano = self._clock.unix_nano()
        for subscription in self._subscriptions:
            subscription.notify(is_urgent=is_urgent)

    def set_view(self, name: str, view: OutputView) -> None:
        """Replaces how far an output is."""
        has_moved_on = self.views[name].state is not view.state
        self.views[name] = view
        self.notify(is_urgent=has_moved_on)

    def warn(self, code: str, message: str, output: str = "") -> None:
        """Keeps a warning, once, with its time."""
        message = for_clients(message)
        is_known = any(
            (entry.code, entry.message, entry.output) == (code, message, output) for entry in self.warnings
        )
        if is_known or len(self.warnings) >= MAX_WARNINGS:
            return
        taken_chars = sum(len(entry.code) + len(entry.message) for entry in self.warnings)
        if taken_chars + len(code) + len(message) > MAX_WARNING_CHARS:
            return
        now = self._clock.unix_nano()
        self.warnings.append(RaisedWarning(code=code, message=message, output=output, at_unix_nano=now))
        self.log("warning", f"{output + ': ' if output else ''}{code}: {message}")
        self.notify()

    def log(self, level: str, message: str) -> None:
        """Adds a line to stage.log."""
        self._log.line(self._clock.unix_nano(), level, message)

    # --- receiving -------------------------------------------------------------------------------

    def note_persisted(self) -> None:
        """A spool has grown."""
        before = self.received_bytes
        if self.spool is not None:
            self.persisted_bytes = self.spool.persisted_bytes
        if self.audio_spool is not None:
            self.persisted_audio_bytes = self.audio_spool.persisted_bytes
        if self.received_bytes == before:
            return
        self.last_byte_monotonic = self.last_sign_monotonic = self._clock.monotonic()
        self._arrival.observe(self.persisted_bytes, self.last_byte_monotonic)
        if self.input_hash is not None:
            self.input_hash.advance(self.persisted_bytes)
        if self.audio_hash is not None:
            self.audio_hash.advance(self.persisted_audio_bytes)
        self.notify()

    def note_alive(self) -> None:
        """The client says that it is there."""
        if not self.is_over:
            self.last_sign_monotonic = self._clock.monotonic()

    def note_acknowledged(self) -> int:
        """All that is persisted was acknowledged; returns how much of it for the first time."""
        news = self.received_bytes - self.acknowledged_bytes
        self.acknowledged_bytes = self.received_bytes
        return news

    @property
    def is_abandoned(self) -> bool:
        """No byte of it has come, and nobody is there to send one: there is nothing to lose."""
        is_upload = not (self.record.is_complete or self.is_ending or self.is_over)
        return is_upload and not self.received_bytes and self.attachment is None

    @property
    def is_parked(self) -> bool:
        """Some of its frames or its sound have come, and its upload waits for its client to come back.

        Not one whose first stream is just being given to it.
        """
        is_upload = not (self.record.is_complete or self.is_ending or self.is_over)
        return is_upload and self.received_bytes > 0 and self.attachment is None

    def close_files(self) -> None:
        """Closes the spools; idempotent."""
        for spool in (self.spool, self.audio_spool):
            if spool is not None:
                spool.close()
        self.spool = self.audio_spool = None

    def park_files(self) -> None:
        """Closes the spools' files until they are needed again; idempotent."""
        for spool in (self.spool, self.audio_spool):
            if spool is not None:
                spool.park()


def _view(record: JobRecord, name: str) -> OutputView:
    output = record.outputs[name]
    attempt = max(1, len(output.attempts) + (0 if output.state.is_final else 1))
    if output.produced is None or output.state is not OutputState.SUCCEEDED:
        return OutputView(state=output.state, attempt=attempt)
    return OutputView(
        state=output.state,
        frames_encoded=output.produced.frames_encoded,
        bytes_written=sum(file.size_bytes for file in output.produced.files if file.is_primary),
        attempt=attempt,
    )


class Subscription:
    """One waiter's flag. Lives on the event loop."""

    def __init__(self, pause_seconds: float) -> None:
        """`pause_seconds` lie between two returns of `next`, unless something urgent happens."""
        self._pause_seconds = pause_seconds
        self._is_due_at = 0.0
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()

    def notify(self, *, is_urgent: bool = False) -> None:
        """Something is new."""
        self._news.set()
        if is_urgent:
            self._urgent.set()

    async def next(self, timeout_seconds: float | None = None) -> bool:
        """Returns when something is new since the last return; False when the time is up before."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        try:
            async with asyncio.timeout_at(self._is_due_at):
                await self._urgent.wait()
        except TimeoutError:
            pass
        self._news.clear()
        self._urgent.clear()
        self._is_due_at = loop.time() + self._pause_seconds
        return True
