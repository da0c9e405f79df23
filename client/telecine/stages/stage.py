"""A stage of a pipeline: where its files lie, what it read and made, and a manifest that is always true."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from telecine.logging.catalogue import Level, parse_level
from telecine.logging.record.context import LogContext
from telecine.stages.errors import StageManifestError, StageNotFoundError, StageUsageError
from telecine.stages.manifest import (
    FILE_NAME,
    STAGE_LOG_NAME,
    CostItem,
    InputFile,
    IntermediateFile,
    OutputFile,
    StageManifest,
    StageResources,
    StageStatus,
    WarningLine,
    read_manifest,
)
from telecine.stages.metering.files import Measured, measure
from telecine.stages.process_identity import this_process
from telecine.stages.running.ending import Tracked
from telecine.stages.running.job_directory import (
    StageDirectory,
    absolute,
    check_name,
    check_number,
    is_own_file,
    list_stages,
    path_below,
    stage_of_path,
    written_path,
)
from telecine.stages.running.keeper import Keeper, ending_status
from telecine.stages.running.ledger import check_metadata, number_of
from telecine.stages.running.logger import STAGE_FIELD_PREFIX, StageLog, StageLogger
from telecine.stages.running.starting import Order, Started, chosen_job_id, start_stage
from telecine.stages.settings import StageSettings

_ENDED_WELL = {StageStatus.SUCCESS, StageStatus.SKIPPED}


class Stage:
    """One run of one stage, in `<job_dir>/<number>_<name>/`; it runs from the making of this object until
    `finalize`. Both directories are made when missing.

    As a context manager it ends by itself: `success` at the block's end, `failed` by an exception, which
    goes on. May be used from several threads, and by the process that made it alone.

        with Stage("asr", "out/job-7", config={"model": "large-v3"}) as stage:
            audio = stage.track_input(stage.input_path("audio.wav", from_stage="demux"), "audio")
            segments = stage.output_path("segments.json")
            segments.write_text(transcribe(audio))
            stage.track_output(segments, "transcript", format="json")

    Args:
        name: The stage's name, which becomes a part of its directory's.
        job_dir: The directory of the whole job.
        number: From 1 to 999,999. None: the number that the stage had before in this job, or else the
            next one.
        job_id: Stands in the manifest and on every record. None: the one that the running task's log
            context has, or else the job directory's name.
        config: How the stage works, as for `set_config`. None: nothing is said yet.
        takes_over: Whether a run on another machine, which cannot be asked, is taken to be dead.
        enable_manifest: Taken for programs that were written for StageIO. A stage always keeps its
            manifest; False is noted in its log.
        settings: Limits, log level and rates. None: the defaults of `StageSettings`.

    Raises:
        StageBusyError: The stage runs in another process, or may.
        StageUsageError: A name or number that it cannot have.
        OSError: The directory cannot be written.
    """

    def __init__(
        self,
        name: str,
        job_dir: str | Path,
        *,
        number: int | None = None,
        job_id: str | None = None,
        config: Mapping[str, Any] | None = None,
        takes_over: bool = False,
        enable_manifest: bool = True,
        settings: StageSettings | None = None,
    ) -> None:
        began_seconds = time.monotonic()
        self.name = check_name(name)
        self.job_dir = absolute(Path(job_dir))
        self.job_id = chosen_job_id(job_id, self.job_dir)
        self._settings = settings or StageSettings()
        self._context: LogContext | None = None
        order = Order(
            name=name,
            job_dir=self.job_dir,
            job_id=self.job_id,
            number=check_number(number),
            takes_over=takes_over,
        )
        started = start_stage(order, this_process(), self._settings, datetime.now(UTC))
        self._ledger = started.ledger
        self.directory = started.directory.path
        """Where the stage works; absolute."""
        self.number = started.directory.number
        self.attempt = started.ledger.identity.attempt
        """From 1; grows with each run of the stage."""
        stage_field = f"{STAGE_FIELD_PREFIX}{name}"
        self._fields = {"job_id": self.job_id, "stage": stage_field, "attempt": self.attempt - 1}
        self._log, self._keeper = self._opened(started, began_seconds)
        self.logger: StageLogger = self._log.logger
        """Writes to stage.log (all), the pipeline's log (INFO and up), and wherever this process logs."""
        if not enable_manifest:
            self._log.course.info("Stage %s: enable_manifest=False has no effect: it has a manifest", name)
        if config:
            self._configure(config)

    # --- where things lie ------------------------------------------------------------------------

    @property
    def status(self) -> StageStatus:
        """How the stage stands: running, or how it has ended."""
        return self._keeper.status

    @property
    def manifest(self) -> StageManifest:
        """The manifest as it stands now."""
        return self._keeper.snapshot()

    @property
    def manifest_path(self) -> Path:
        """Of manifest.json, which is there from the start on."""
        return self.directory / FILE_NAME

    def input_path(self, name: str | Path, from_stage: str | None = None) -> Path:
        """Where another stage put a file, or, without `from_stage`, where one lies in the job directory.

        Without `from_stage` an absolute path is returned as it is. A stage that has not ended well is worth
        a warning in the manifest, and so is a path that is asked for and never tracked.

        Raises:
            StageNotFoundError: there is no such stage.
            StageUsageError: the name leads out of the directory.
        """
        if from_stage is None:
            return Path(name) if Path(name).is_absolute() else path_below(self.job_dir, name)
        there = list_stages(self.job_dir)
        source = next((stage for stage in there if stage.name == from_stage), None)
        if source is None:
            names = ", ".join(stage.name for stage in there) or "none"
            raise StageNotFoundError(f"there is no stage {from_stage} in {self.job_dir}; there are: {names}")
        path = path_below(source.path, name)
        self._keeper.asked_for.add(written_path(path, self.job_dir))
        self._warn_of_unfinished(source)
        return path

    def output_path(self, name: str | Path) -> Path:
        """Where this stage puts a file; directories on the way are made. Raises StageUsageError."""
        path = path_below(self.directory, name)
        if path.parent == self.directory and is_own_file(path.name):
            raise StageUsageError(f"{path.name} is Telecine's own; choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    # --- by the names of StageIO -----------------------------------------------------------------

    def get_stage_logger(self, level: str | int | None = None) -> StageLogger:
        """Returns `logger`.

        Args:
            level: The lowest level that `stage.log` gets from now on. None: as the settings say.

        Raises:
            StageUsageError: There is no such level.
        """
        if level is not None:
            known = parse_level(level)
            if known is None:
                names = ", ".join(each.name for each in Level)
                raise StageUsageError(f"there is no log level {level!r}; expected one of {names}")
            self._log.set_level(known)
        return self.logger

    def get_input_path(self, name: str | Path, from_stage: str | None = None) -> Path:
        """Returns what `input_path` returns, and raises what it raises."""
        return self.input_path(name, from_stage)

    def get_output_path(self, name: str | Path) -> Path:
        """Returns what `output_path` returns, and raises what it raises."""
        return self.output_path(name)

    # --- what it read and made -------------------------------------------------------------------

    def track_input(
        self, path: str | Path, file_type: str = "file", *, has_checksum: bool = True, **metadata: Any
    ) -> Path:
        """Notes a file or directory that the stage reads; returns its absolute path.

        Args:
            path: The file or directory.
            file_type: What it is, such as "audio" or "transcript".
            has_checksum: Whether its SHA-256 is taken, in the calling thread.
            **metadata: The caller's own data about it, such as `format="wav"`.

        Raises:
            StageFileMissingError: It is not there.
            StageUsageError: Metadata has the name of a fixed field, or too many files are tracked.
            OSError: The manifest cannot be written.
        """
        found, written, own = self._prepared(path, InputFile, metadata)
        measured = self._measured(found, has_checksum=has_checksum)
        entry = InputFile(
            type=file_type,
            path=written,
            from_stage=stage_of_path(written),
            **measured.facts(),
            metadata=own,
        )
        self._keeper.note(lambda: self._ledger.put_input(entry))
        self._log_file("input", written, file_type)
        return found

    def track_output(
        self, path: str | Path, file_type: str = "file", *, has_checksum: bool = True, **metadata: Any
    ) -> Path:
        """Notes a file or directory that the stage has made; returns its absolute path.

        `finalize("success")` holds it to be there still.

        Args:
            path: The file or directory; written and closed.
            file_type: What it is, such as "audio" or "transcript".
            has_checksum: Whether its SHA-256 is taken, in the calling thread.
            **metadata: The caller's own data about it, such as `segments=12`.

        Raises:
            StageFileMissingError: It is not there.
            StageUsageError: It lies in another stage's directory, metadata has the name of a fixed field, or
                too many files are tracked.
            OSError: The manifest cannot be written.
        """
        found, written, own = self._prepared(path, OutputFile, metadata)
        if stage_of_path(written) not in (None, self.name):
            raise StageUsageError(
                f"{written} lies in another stage's directory, and cannot be an output of this one"
            )
        measured = self._measured(found, has_checksum=has_checksum)
        entry = OutputFile(
            type=file_type,
            path=written,
            **measured.facts(),
            metadata=own,
        )

        def note() -> None:
            self._ledger.put_output(entry)
            self._keeper.tracked[written] = Tracked(found, measured)

        self._keeper.note(note)
        self._log_file("output", written, file_type)
        return found

    def track_intermediate(
        self, path: str | Path, *, retained: bool, reason: str, has_checksum: bool = False, **metadata: Any
    ) -> Path:
        """Notes a file or directory made on the way; it need not be there yet. Returns its absolute path.

        Args:
            path: The file or directory.
            retained: Whether it stays. False: it is removed when the stage ends well, and kept when it fails.
            reason: Why it is there.
            has_checksum: Whether its SHA-256 is taken, in the calling thread.
            **metadata: The caller's own data about it.

        Raises:
            StageUsageError: It is to be removed and lies outside of the stage's directory, or is an input or
                output.
        """
        found, written, own = self._prepared(path, IntermediateFile, metadata)
        if not retained and (self.directory not in found.parents or is_own_file(found.name)):
            raise StageUsageError(f"{found} cannot be removed at the end: it is not below {self.directory}")
        measured = self._measured(found, has_checksum=has_checksum) if found.exists() else None
        entry = IntermediateFile(
            path=written,
            is_retained=retained,
            reason=self._keeper.clean(f"the reason of {written}", reason),
            **(measured.facts() if measured else {"size_bytes": 0}),
            metadata=own,
        )

        def note() -> None:
            self._ledger.put_intermediate(entry)
            self._keeper.intermediate_paths[written] = found

        self._keeper.note(note)
        kept = "kept" if retained else "removed at the end"
        self._log.course.debug("Stage %s: intermediate %s (%s: %s)", self.name, written, kept, reason)
        return found

    # --- what it says of itself ------------------------------------------------------------------

    def set_config(self, config: Mapping[str, Any]) -> None:
        """Says how the stage works, instead of what was said before. Secrets are taken out."""
        cleaned = self._keeper.clean("config", dict(config))
        self._keeper.note(lambda: setattr(self._ledger, "config", cleaned))
        self._log.course.debug("Stage %s: config", self.name, config=cleaned)

    def add_config(self, name: str, value: Any) -> None:
        """Adds one setting to the config."""
        cleaned = self._keeper.clean("config", {name: value})
        self._keeper.note(lambda: self._ledger.config.update(cleaned))
        self._log.course.debug("Stage %s: config", self.name, config=cleaned)

    def add_metadata(self, **values: Any) -> None:
        """Adds the caller's own data to the manifest's `metadata`."""
        cleaned = self._keeper.clean("metadata", values)
        self._keeper.note(lambda: self._ledger.metadata.update(cleaned))

    def add_resources(self, **values: Any) -> None:
        """Adds the caller's own figures to what is measured. Raises StageUsageError for a name of those."""
        check_metadata(StageResources, values)
        cleaned = self._keeper.clean("resources", values)
        self._keeper.note(lambda: self._ledger.resources.update(cleaned))

    def add_cost(
        self,
        name: str,
        amount: float,
        currency: str = "USD",
        *,
        quantity: float | None = None,
        unit: str = "",
    ) -> None:
        """Adds what was bought: `add_cost("speech API", 0.36, quantity=60, unit="min")`.

        Args:
            name: What was bought.
            amount: What it cost in all, in `currency`.
            currency: ISO 4217.
            quantity: How much was bought, in `unit`. None: not said.
            unit: Of the quantity. Empty: pieces.

        Raises:
            StageUsageError: An amount or a quantity that is no number, or another thing that is no text.
        """
        for field, text in (("name", name), ("currency", currency), ("unit", unit)):
            if not isinstance(text, str):
                raise StageUsageError(f"the {field} of a cost is {text!r}; expected text")
        item = CostItem(
            name=self._keeper.clean("a cost", name),
            amount=number_of(amount, f"the amount of cost {name!r}"),
            currency=currency,
            quantity=None if quantity is None else number_of(quantity, f"the quantity of cost {name!r}"),
            unit=unit,
        )
        self._keeper.note(lambda: self._ledger.costs.append(item))
        self._log.course.debug("Stage %s: cost %s %s %s", self.name, item.name, amount, currency)

    def add_error(self, message: str, error: BaseException | None = None, *, code: str = "") -> None:
        """Notes that something failed; the stage goes on, and may still end well.

        Args:
            message: What failed, for people.
            error: The exception, for its class, text and stack. None: there is none.
            code: For programs. Empty: the exception's class.
        """
        entry = self._keeper.error_entry(message, error, code)
        self._keeper.note(lambda: self._ledger.add_error(entry))
        self.logger.error("%s", message, **({"exc_info": error} if error is not None else {}))

    def add_warning(self, message: str, *, code: str = "") -> None:
        """Notes something worth knowing."""
        text = self._keeper.clean("a warning", message)
        entry = WarningLine(timestamp=datetime.now(UTC), message=text, code=code)
        self._keeper.note(lambda: self._ledger.add_warning(entry))
        self.logger.warning("%s", message, **({"code": code} if code else {}))

    # --- the end ---------------------------------------------------------------------------------

    def finalize(self, status: StageStatus | str = StageStatus.SUCCESS, **metadata: Any) -> None:
        """Ends the stage; the keyword arguments go to the manifest's `metadata`.

        `success` looks at each output again and removes intermediate files that were not to be kept. A
        failed stage without an error of its own gets `error_message`, or else a general one.

        Raises:
            StageIncompleteError: outputs are gone; the manifest then says `failed`.
            StageUsageError: there is no such status, or the stage has ended.
            OSError: the manifest cannot be written; it goes on to say `running`, of a run that has let go.
        """
        wanted = ending_status(status)
        if metadata:
            self.add_metadata(**metadata)
        self._keeper.end(wanted, str(metadata.get("error_message", "")))

    def __enter__(self) -> Self:
        self._keeper.is_held = True
        self._context = LogContext(**self._fields)
        self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper.is_foreign:
            # A forked child that leaves the block: the stage is the parent's.
            return
        try:
            if error is not None:
                self._fail(error)
            elif self.status is StageStatus.RUNNING:
                self.finalize()
        finally:
            context, self._context = self._context, None
            if context is not None:
                context.__exit__(kind, error, trace)
            self._keeper.release()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    # --- inside ----------------------------------------------------------------------------------

    def _opened(self, started: Started, began_seconds: float) -> tuple[StageLog, Keeper]:
        stage_log = self.directory / STAGE_LOG_NAME
        try:
            log = StageLog(self.name, stage_log, started.pipeline_log, self._fields, self._settings)
            return log, Keeper(started, self.job_dir, self._settings, log, began_seconds)
        except BaseException:
            # Without its lock the run that the manifest describes is known to be over.
            os.close(started.lock)
            raise

    def _configure(self, config: Mapping[str, Any]) -> None:
        try:
            self.set_config(config)
        except BaseException:
            self._keeper.release()
            raise

    def _fail(self, error: BaseException) -> None:
        try:
            self._keeper.fail(error)
        except OSError as trouble:
            # What the block raised is the news, not that the disk is full as well.
            error.add_note(f"the manifest of stage {self.name} could not be written: {trouble}")

    def _prepared(
        self, path: str | Path, kind: type[msgspec.Struct], metadata: Mapping[str, Any]
    ) -> tuple[Path, str, dict[str, Any]]:
        """The path, as it is and as manifests write it, and what the manifest may hold of the metadata."""
        self._keeper.check_usable()
        check_metadata(kind, metadata)
        found = absolute(Path(path))
        written = written_path(found, self.job_dir)
        own: dict[str, Any] = (
            self._keeper.clean(f"the metadata of {written}", dict(metadata)) if metadata else {}
        )
        return found, written, own

    def _log_file(self, direction: str, written: str, file_type: str) -> None:
        mark = self._log.mark(direction)
        self._log.course.info("%sStage %s: %s %s (%s)", mark, self.name, direction, written, file_type)

    def _measured(self, path: Path, *, has_checksum: bool) -> Measured:
        return measure(path, has_checksum=has_checksum, max_files=self._settings.max_directory_files)

    def _warn_of_unfinished(self, source: StageDirectory) -> None:
        try:
            status = str(read_manifest(source.path / FILE_NAME).status)
        except (OSError, StageManifestError):
            status = "without a manifest"
        if status not in _ENDED_WELL and source.name != self.name:
            self.add_warning(
                f"stage {source.name} is {status}, and its files are read", code="INPUT_UNFINISHED"
            )
