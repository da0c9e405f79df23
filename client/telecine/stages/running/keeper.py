"""Keeps a running stage's manifest true: writes it whenever something is noted, and once more at the end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telecine.durable_files import write_whole
from telecine.stages.errors import StageError, StageIncompleteError, StageUsageError
from telecine.stages.manifest import (
    FILE_NAME,
    ErrorEntry,
    StageManifest,
    StageStatus,
    WarningLine,
    encode_manifest,
)
from telecine.stages.metering.meter import Meter
from telecine.stages.running import open_stages
from telecine.stages.running.ending import (
    Tracked,
    is_listed,
    recheck_outputs,
    settle_intermediates,
    shown,
    untracked_files,
)
from telecine.stages.running.ledger import storable
from telecine.stages.running.logger import StageLog
from telecine.stages.running.starting import Started
from telecine.stages.settings import StageSettings

_WORDS = {StageStatus.SUCCESS: "COMPLETED", StageStatus.FAILED: "FAILED", StageStatus.SKIPPED: "SKIPPED"}


class Keeper:
    """The state of one open stage. Safe to use from any thread of the process that made it."""

    def __init__(
        self,
        started: Started,
        job_dir: Path,
        settings: StageSettings,
        log: StageLog,
        began_seconds: float,
    ) -> None:
        """`began_seconds` is the monotonic time at which the stage began."""
        self.ledger = started.ledger
        self.tracked: dict[str, Tracked] = {}
        """Outputs as they were when they were tracked."""
        self.intermediate_paths: dict[str, Path] = {}
        self.asked_for: set[str] = set()
        """Files of other stages whose paths were asked for."""
        self.status = StageStatus.RUNNING
        self.is_held = False
        """Whether the stage is kept open after its end, because its block still lasts."""
        self._last: StageManifest | None = None
        self._directory = started.directory.path
        self._job_dir = job_dir
        self._process = started.ledger.identity.process
        self._settings = settings
        self._log = log
        self._began_seconds = began_seconds
        self._lock = threading.RLock()
        self._lock_descriptor = started.lock
        self._written_seconds = began_seconds
        self._meter = Meter(self._process, settings.sample_seconds, self._beat)
        open_stages.enter(self)
        self._tell_of_start()
        self._meter.start()

    # --- while it runs ---------------------------------------------------------------------------

    @property
    def is_foreign(self) -> bool:
        """Whether this is a forked child of the process that runs the stage."""
        return self._process.pid != os.getpid()

    def check_usable(self) -> None:
        """Raises StageUsageError when the stage has ended, or belongs to another process."""
        if self.is_foreign:
            raise StageUsageError(
                f"stage {self._name} belongs to process {self._process.pid}: "
                "a forked child hands its results to it"
            )
        if self.status is not StageStatus.RUNNING or self._lock_descriptor < 0:
            raise StageUsageError(f"stage {self._name} has ended ({self.status})")

    def note(self, change: Callable[[], object]) -> None:
        """Makes a change to the ledger and writes the manifest. Raises StageUsageError, OSError."""
        with self._lock:
            self.check_usable()
            change()
            self._write(self._manifest())

    def clean(self, where: str, value: Any) -> Any:
        """What the manifest may hold of a value; secrets are taken out, with a warning."""
        cleaned, counts = storable(value, self._log.redactor)
        if counts:
            rules = ", ".join(f"{rule} {count}" for rule, count in sorted(counts.items()))
            self._warn("REDACTED", f"secrets were taken out of {where}: {rules}")
        return cleaned

    def error_entry(self, message: str, error: BaseException | None, code: str) -> ErrorEntry:
        """An error as the manifest shows it."""
        kind = type(error).__name__ if error is not None else ""
        return ErrorEntry(
            timestamp=datetime.now(UTC),
            message=self.clean("an error", message),
            code=code or kind,
            exception_type=kind,
            exception_detail=self.clean("an error", str(error)) if error is not None else "",
        )

    def snapshot(self) -> StageManifest:
        """The manifest as it stands now."""
        with self._lock:
            return self._last or self._manifest()

    # --- the end ---------------------------------------------------------------------------------

    def end(self, wanted: StageStatus, error_message: str = "") -> None:
        """Ends the stage; see `Stage.finalize` for what it raises."""
        with self._lock:
            self.check_usable()
            try:
                trouble = self._settle(wanted, error_message)
            finally:
                if not self.is_held:
                    self.release()
        if trouble is not None:
            raise trouble

    def fail(self, error: BaseException) -> None:
        """Ends the stage because of an exception; one that had just ended well has failed after all."""
        with self._lock:
            if self.status is StageStatus.FAILED or self._lock_descriptor < 0:
                return
            message = str(error) or type(error).__name__
            self.ledger.add_error(self.error_entry(message, error, ""))
            self._log.logger.error("%s", message, exc_info=error)
            if self.status is not StageStatus.RUNNING:
                self.status, self._last = StageStatus.RUNNING, None
                self._warn("FAILED_AFTER_END", "the stage was finalized, and then its block raised")
            self._settle(StageStatus.FAILED, "")

    def release(self) -> None:
        """Lets go of lock, log and meter; idempotent. Does nothing to the manifest."""
        with self._lock:
            open_stages.leave(self)
            self._meter.close()
            self._log.close()
            descriptor, self._lock_descriptor = self._lock_descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)

    def share(self) -> None:
        """Another stage is open in this process: their resources cannot be separated."""
        self.ledger.is_shared = True

    def program_ended(self) -> None:
        """The program ends and nobody has said how the stage ended: it failed."""
        try:
            if self.status is StageStatus.RUNNING:
                self.end(StageStatus.FAILED, "the program ended before the stage was finalized")
        finally:
            self.release()

    def forked(self) -> None:
        """In a forked child, for which the stage is closed; the lock stays the parent's."""
        self._lock = threading.RLock()
        self._log.forked()
        self._meter.forked()
        os.close(self._lock_descriptor)
        self._lock_descriptor = -1

    # --- inside ----------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self.ledger.identity.stage

    def _settle(self, wanted: StageStatus, error_message: str) -> Exception | None:
        """Writes the last manifest; returns why the stage did not end as it was wanted to."""
        status = wanted
        trouble: Exception | None = None
        try:
            trouble = self._recheck(wanted)
            status = StageStatus.FAILED if trouble else wanted
            ended_well = status is not StageStatus.FAILED
            settle_intermediates(self.ledger, self.intermediate_paths, self._settings, ended_well=ended_well)
        except (OSError, StageError) as error:
            status, trouble = StageStatus.FAILED, trouble or error
            self.ledger.add_error(self.error_entry(str(error), error, ""))
        if status is StageStatus.FAILED and not self.ledger.errors:
            message = error_message or "the stage was finalized as failed"
            self.ledger.add_error(self.error_entry(message, None, "FAILED"))
        manifest = self._manifest(status)
        self._write(manifest)
        self.status, self._last = status, manifest
        self._tell_of_end(manifest)
        return None if wanted is StageStatus.FAILED else trouble

    def _recheck(self, wanted: StageStatus) -> StageIncompleteError | None:
        if wanted is StageStatus.FAILED:
            return None
        gone = recheck_outputs(self.ledger, self.tracked, self._settings)
        if gone:
            message = f"stage {self._name} has lost outputs: {shown(gone)}"
            self.ledger.add_error(self.error_entry(message, None, "MISSING_OUTPUT"))
            return StageIncompleteError(message)
        ledger = self.ledger
        listed = {*ledger.inputs, *ledger.outputs, *ledger.intermediates}
        try:
            unlisted = untracked_files(
                self._directory, self._job_dir, listed, self._settings.max_directory_files
            )
        except StageUsageError as error:
            unlisted = [error.message]
        if unlisted:
            self._warn("UNLISTED_FILE", f"files that nobody tracked: {shown(unlisted)}")
        unread = sorted(path for path in self.asked_for if not is_listed(path, ledger.inputs))
        if unread:
            self._warn("UNTRACKED_INPUT", f"asked for by input_path and not tracked: {shown(unread)}")
        return None

    def _manifest(self, status: StageStatus = StageStatus.RUNNING) -> StageManifest:
        duration_seconds = time.monotonic() - self._began_seconds
        return self.ledger.manifest(status, self._meter.read(), duration_seconds, datetime.now(UTC))

    def _beat(self) -> None:
        """Writes the manifest of a stage that tracks nothing for long; called from the meter's thread."""
        beat_seconds = self._settings.heartbeat_seconds
        if not beat_seconds or time.monotonic() - self._written_seconds < beat_seconds:
            return
        try:
            self.note(lambda: None)
        except StageUsageError:
            # It has ended meanwhile.
            return
        except OSError as error:
            self._written_seconds = time.monotonic()
            self._log.logger.warning("the manifest could not be written: %s", error)

    def _write(self, manifest: StageManifest) -> None:
        path = self._directory / FILE_NAME
        write_whole(path, encode_manifest(manifest), is_synced=self._settings.is_synced, mode=0o666)
        self._written_seconds = time.monotonic()

    def _warn(self, code: str, message: str) -> None:
        entry = WarningLine(timestamp=datetime.now(UTC), message=message, code=code)
        self.ledger.add_warning(entry)
        self._log.logger.warning("%s", message, code=code)

    def _tell_of_start(self) -> None:
        who = self.ledger.identity
        again = f" (attempt {who.attempt})" if who.attempt > 1 else ""
        self._log.course.info("%sStage %s: STARTING%s", self._log.mark("STARTING"), who.stage, again)
        self._log.logger.debug(
            "process %s on %s, Telecine %s, Python %s, %s",
            who.process.pid, who.process.hostname, who.build.telecine, who.build.python, who.build.platform,
        )  # fmt: skip
        if self._meter.no_gpus_because:
            self._log.logger.debug("no GPU is measured: %s", self._meter.no_gpus_because)
        for warning in self.ledger.warnings:
            self._log.logger.warning("%s", warning.message, code=warning.code)

    def _tell_of_end(self, manifest: StageManifest) -> None:
        status = manifest.status
        seconds = manifest.duration_seconds
        fields = {"duration_ms": round(seconds * 1000, 3), "status": str(status)}
        word = _WORDS[status]
        text = f"{self._log.mark(word)}Stage {manifest.stage}: {word} ({seconds:.2f} s)"
        course = self._log.course
        if status is StageStatus.FAILED:
            last = manifest.errors[-1]
            course.error("%s", text, **fields, error=last.message, error_type=last.code)
        else:
            course.info("%s", text, **fields)
        resources = manifest.resources
        self._log.logger.debug(
            "used %.2f CPU seconds, at most %.1f MB; manifest: %s",
            resources.cpu_seconds, resources.peak_rss_bytes / 1e6, self._directory / FILE_NAME,
        )  # fmt: skip


def ending_status(status: StageStatus | str) -> StageStatus:
    """The status by its name. Raises StageUsageError for one that no stage can end with."""
    try:
        wanted = StageStatus(status)
    except ValueError:
        wanted = StageStatus.RUNNING
    if wanted is StageStatus.RUNNING:
        raise StageUsageError(f"a stage cannot end as {str(status)!r}: success, failed or skipped")
    return wanted
