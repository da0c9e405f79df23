"""One attempt at one output inside a worker: waits for frames, feeds the writer, answers with evidence."""

from __future__ import annotations

import errno
import resource
import shutil
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from telecine.machine import peak_rss_bytes, usable_cores

from encoder_service.evidence.chunk_sums import DamagedFramesError
from encoder_service.evidence.facts import DrawnOverlay, Failed, Phases, Produced, Resources, WarningEntry
from encoder_service.spec.audio.codecs import SILENT_BY_NATURE, SOUND_FORMATS
from encoder_service.spec.codes import FailureCode, WarningCode
from encoder_service.spec.errors import OutputError, StrictViolationError
from encoder_service.spec.limits import frame_limit
from encoder_service.worker.failpoint import Failpoint
from encoder_service.worker.process.sample_source import SpoolSamples
from encoder_service.worker.process.source import SpoolSource
from encoder_service.worker.writer import (
    DrawingMaterial,
    Finished,
    SampleSource,
    Writer,
    WriterContext,
    open_writer,
)
from encoder_service.worker_protocol import Assignment, Event, Logged, OutputPhase, Progress, Warned
from service_host.status.disclosure import for_clients, of_os_error

_PROGRESS_SECONDS = 0.2
_FINISHING_PROGRESS_SECONDS = 1.0
_WORTH_ANOTHER_TRY = FailureCode.VERIFICATION_FAILED
"""The frames are good, so the fault lies in this attempt: a bad disk, a codec that went astray."""


class Intake:
    """How much of the spool has arrived, and whether to go on; written by the reader of orders."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frames = 0
        self._samples = 0
        self._is_complete = False
        self._is_cancelled = False
        self.wait_seconds = 0.0
        """Spent waiting for frames."""

    @property
    def frames(self) -> int:
        """Whole frames that may be read."""
        return self._frames

    @property
    def samples(self) -> int:
        """Whole samples of sound that may be read; all of them once the clip has ended."""
        return self._samples

    def extend(self, frames: int, *, is_complete: bool, samples: int = 0) -> None:
        """More may be read, or the clip has ended; only ever grows."""
        with self._changed:
            self._frames = max(self._frames, frames)
            self._samples = max(self._samples, samples)
            self._is_complete = self._is_complete or is_complete
            self._changed.notify_all()

    def cancel(self) -> None:
        """The attempt is to end."""
        with self._changed:
            self._is_cancelled = True
            self._changed.notify_all()

    def wait_for(self, index: int) -> bool:
        """Waits until frame `index` may be read; False: the clip has ended. Raises OutputError CANCELLED."""
        with self._changed:
            if not self._is_cancelled and index >= self._frames and not self._is_complete:
                began = time.monotonic()
                self._changed.wait_for(
                    lambda: self._is_cancelled or self._is_complete or index < self._frames
                )
                self.wait_seconds += time.monotonic() - began
            self._check()
            return index < self._frames

    def check(self) -> None:
        """Raises OutputError with code CANCELLED after `cancel`."""
        with self._changed:
            self._check()

    def _check(self) -> None:
        if self._is_cancelled:
            raise OutputError(FailureCode.CANCELLED, "the output was cancelled")


class Attempt:
    """Runs one assignment to its one answer. For one thread; `intake` is fed by another."""

    def __init__(
        self, assignment: Assignment, emit: Callable[[Event], None], failpoint: Failpoint | None = None
    ) -> None:
        self.assignment = assignment
        self.intake = Intake()
        self._emit = emit
        self._failpoint = failpoint
        self._warnings: list[WarningEntry] = []
        self._progress_at = 0.0
        self._frames_read = 0
        self._frames_reported = 0
        self._frames_cut = 0
        self._overlays: list[DrawnOverlay] = []

    def run(self) -> Produced | Failed:
        """Produces the output. Never raises: whatever goes wrong is the answer; then no file is left."""
        meter = Meter()
        code: FailureCode | WarningCode
        try:
            return self._produce(meter)
        except OutputError as error:
            code, message = error.code, str(error)
            is_retryable = error.is_retryable or code == _WORTH_ANOTHER_TRY
        except DamagedFramesError as error:
            code, message, is_retryable = FailureCode.SPOOL_DAMAGED, str(error), False
        except MemoryError:
            code, message, is_retryable = FailureCode.OUT_OF_MEMORY, "the worker has no memory left", False
        except OSError as error:
            is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            code, message, is_retryable = (
                FailureCode.DISK_FULL if is_full else FailureCode.IO_ERROR,
                of_os_error(error),
                True,
            )
            self._emit(Logged("error", str(error)))
        except Exception as error:  # noqa: BLE001 - the worker must answer, whatever a writer does
            self._emit(Logged("error", traceback.format_exc()))
            code, message, is_retryable = FailureCode.INTERNAL, f"{type(error).__name__}: {error}", True
        _empty(Path(self.assignment.directory))
        shown = for_clients(message)
        if shown != message:
            self._emit(Logged("error", message))  # whole, for the operator
        return Failed(code, shown, is_retryable, meter.read(), tuple(self._warnings))

    def _produce(self, meter: Meter) -> Produced:
        began = time.monotonic()
        assignment = self.assignment
        with ExitStack() as files:
            source = files.enter_context(
                SpoolSource(Path(assignment.spool_path), assignment.video.frame_bytes)
            )
            sound = self._sound()
            if sound is not None:
                files.enter_context(sound)
            writer = open_writer(self._context(source, sound))
            try:
                self._feed(writer, source)
                self._check_overlays()
                finished = self._finish(writer)
                self._check_size(max((file.size_bytes for file in finished.files), default=0))
            finally:
                writer.close()
        self.intake.check()
        return self._answer(finished, meter, time.monotonic() - began)

    def _sound(self) -> SpoolSamples | None:
        """The job's sound, unless the output has none; where its format can hold none, that is reported."""
        assignment, output = self.assignment, self.assignment.output
        if assignment.audio is None or (output.sound is not None and output.sound.is_disabled):
            return None
        if output.format not in SOUND_FORMATS:
            if output.format not in SILENT_BY_NATURE:
                self._warn(WarningCode.AUDIO_DROPPED, f"{output.format} holds no sound; it is left out")
            return None
        return SpoolSamples(Path(assignment.audio_path), assignment.audio, lambda: self.intake.samples)

    def _context(self, source: SpoolSource, sound: SampleSource | None) -> WriterContext:
        assignment = self.assignment
        return WriterContext(
            video=assignment.video,
            output=assignment.output,
            directory=Path(assignment.directory),
            threads=max(1, assignment.threads) if assignment.threads else usable_cores(),
            source=source,
            warn=self._warn,
            log=lambda line: self._emit(Logged("info", line)),
            note=self._note,
            material=DrawingMaterial(
                fields={**assignment.metadata, "job_id": assignment.job_id},
                pictures=Path(assignment.pictures_directory),
                font_directories=tuple(map(Path, assignment.font_directories)),
                fallback_font_directories=tuple(map(Path, assignment.fallback_font_directories)),
            ),
            drew=self._overlays.append,
            allowed_options=assignment.allowed_options,
            sound=sound,
        )

    def _feed(self, writer: Writer, source: SpoolSource) -> None:
        intake, assignment = self.intake, self.assignment
        limit = frame_limit(assignment.output, assignment.video)
        while self._has_next(writer):
            source.extend(intake.frames)
            if self._failpoint:
                self._failpoint.strike(self._frames_read, assignment.output.name, assignment.attempt)
            if limit and self._frames_read >= limit:
                self._cut(limit)
            else:
                writer.write(source.frame(self._frames_read))
            self._frames_read += 1
            if time.monotonic() - self._progress_at >= _PROGRESS_SECONDS:
                self._check_size(writer.bytes_written)
                self._report(OutputPhase.ENCODING, writer)
        if not self._frames_read:
            raise OutputError(FailureCode.NO_FRAMES, "the job has no frames")

    def _cut(self, limit: int) -> None:
        self._frames_cut += 1
        if self._frames_cut == 1:
            self._note(
                WarningCode.DURATION_CUT,
                f"the output ends after {limit} frames, as max_duration says; the clip is longer",
            )

    def _check_size(self, size_bytes: int) -> None:
        limit = self.assignment.max_artifact_bytes
        if limit and size_bytes > limit:
            raise OutputError(
                FailureCode.ARTIFACT_TOO_LARGE,
                f"the output has {size_bytes} bytes after {self._frames_read} frames; this server's limit "
                f"(max_artifact_bytes) is {limit}; ask for a lower quality, a smaller size or fewer frames",
            )

    def _check_overlays(self) -> None:
        frames = self._frames_read - self._frames_cut
        for overlay in self._overlays:
            if overlay.first_frame >= frames:
                what = f"text {overlay.text[:40]!r}" if overlay.kind == "text" else "image"
                self._note(
                    WarningCode.OVERLAY_NOT_SHOWN,
                    f"the overlay's {what} begins at frame {overlay.first_frame}; the output has {frames}",
                )

    def _finish(self, writer: Writer) -> Finished:
        """Finishes; while the file grows, that is reported, so that nobody takes it for a hang."""
        self._report(OutputPhase.VERIFYING, writer)
        is_done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(writer, is_done), name="progress", daemon=True)
        watch.start()
        try:
            return writer.finish()
        finally:
            is_done.set()
            watch.join()

    def _watch(self, writer: Writer, is_done: threading.Event) -> None:
        reported = writer.bytes_written
        while not is_done.wait(_FINISHING_PROGRESS_SECONDS):
            if writer.bytes_written != reported:
                reported = writer.bytes_written
                self._report(OutputPhase.VERIFYING, writer)

    def _has_next(self, writer: Writer) -> bool:
        if self._frames_read >= self.intake.frames and self._frames_read != self._frames_reported:
            # The service, which sees that all frames given are done, knows that this is waiting, not hanging.
            self._report(OutputPhase.ENCODING, writer)
        return self.intake.wait_for(self._frames_read)

    def _report(self, phase: OutputPhase, writer: Writer) -> None:
        self._progress_at = time.monotonic()
        self._frames_reported = self._frames_read
        self._emit(Progress(phase, self._frames_read, writer.bytes_written))

    def _warn(self, code: WarningCode, message: str) -> None:
        if self.assignment.output.strict:
            raise StrictViolationError(code, message)
        self._note(code, message)

    def _note(self, code: WarningCode, message: str) -> None:
        message = for_clients(message)
        entry = WarningEntry(code, message)
        if entry not in self._warnings:
            self._warnings.append(entry)
            self._emit(Warned(code, message))

    def _answer(self, finished: Finished, meter: Meter, elapsed_seconds: float) -> Produced:
        wait_seconds = self.intake.wait_seconds
        busy_seconds = elapsed_seconds - wait_seconds - finished.mux_seconds - finished.verify_seconds
        return Produced(
            files=finished.files,
            encoder=finished.encoder,
            readback=finished.readback,
            quality=finished.quality,
            frames_read=self._frames_read,
            frames_encoded=finished.frames_encoded,
            frames_decoded=finished.frames_decoded,
            resources=meter.read(),
            phases=Phases(
                wait_seconds=wait_seconds,
                encode_seconds=max(0.0, busy_seconds),
                mux_seconds=finished.mux_seconds,
                verify_seconds=finished.verify_seconds,
            ),
            warnings=tuple(self._warnings),
            overlays=tuple(self._overlays),
            frames_cut=self._frames_cut,
            sound=finished.sound,
        )


def _empty(directory: Path) -> None:
    for entry in directory.iterdir() if directory.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


_CLEAR_REFS = Path("/proc/self/clear_refs")


_RESET_PEAK = "5"


class Meter:
    """Counts from its making on. Linux resets the peak; elsewhere it is the process's peak so far."""

    def __init__(self) -> None:
        self._began_seconds = _cpu_seconds()
        try:
            _CLEAR_REFS.write_text(_RESET_PEAK)
        except OSError:
            pass

    def read(self) -> Resources:
        """What was used since the meter was made."""
        return Resources(cpu_seconds=_cpu_seconds() - self._began_seconds, peak_rss_bytes=peak_rss_bytes())


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
