"""One run of a whole pipeline: a log of its own, and at its end a summary of its stages."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from telecine.logging.record.context import LogContext
from telecine.stages.errors import StageNotFoundError
from telecine.stages.reports.reading import StageRecord, StageState, read_job
from telecine.stages.running.job_directory import absolute, begin_pipeline_log, job_lock
from telecine.stages.running.logger import PIPELINE_NAME, StageLog, StageLogger
from telecine.stages.running.starting import chosen_job_id
from telecine.stages.settings import StageSettings
from telecine.stages.stage import Stage

_BAD = {StageState.FAILED, StageState.DIED, StageState.UNKNOWN, StageState.UNREADABLE}


class PipelineRun:
    """Begins a new `logs/99_pipeline_<time>.log`, into which all stages of the job write from then on.

    with PipelineRun("out/job-7") as run:
        with run.stage("demux") as stage:
            ...

    Stages without one go on with the newest log. Stages in other processes need only the job directory.

    Args:
        job_dir: The directory of the whole job; made when missing.
        job_id: Stands on every record. None: the one that the running task's log context has, or else the
            job directory's name.
        settings: Limits and log level of its stages too. None: the defaults of `StageSettings`.

    Raises:
        JobDirectoryBusyError: Another process holds the job directory's lock for too long.
        OSError: The directory cannot be written.
    """

    def __init__(
        self, job_dir: str | Path, *, job_id: str | None = None, settings: StageSettings | None = None
    ) -> None:
        self.job_dir = absolute(Path(job_dir))
        self.job_id = chosen_job_id(job_id, self.job_dir)
        self._settings = settings or StageSettings()
        self._began_at = datetime.now(UTC)
        self._began_seconds = time.monotonic()
        with job_lock(self.job_dir, self._settings.lock_seconds):
            self.log_path = begin_pipeline_log(self.job_dir, self._began_at)
        fields = {"job_id": self.job_id}
        self._log = StageLog(PIPELINE_NAME, None, self.log_path, fields, self._settings)
        self.logger: StageLogger = self._log.course
        """Writes to the pipeline's log, and wherever this process logs."""
        self._context = LogContext(**fields)

    def stage(self, name: str, **arguments: Any) -> Stage:
        """Starts a stage of this job; `arguments` are those of `Stage`."""
        defaults: dict[str, Any] = {"job_id": self.job_id, "settings": self._settings}
        return Stage(name, self.job_dir, **(defaults | arguments))

    def __enter__(self) -> Self:
        self._context.__enter__()
        mark = self._log.mark("STARTING")
        self.logger.info("%sPipeline %s: STARTING", mark, self.job_id, stage="pipeline:start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._summarize(error)
        finally:
            self._context.__exit__(kind, error, trace)
            self._log.close()

    def _summarize(self, error: BaseException | None) -> None:
        records = self._stages_of_this_run()
        for record in records:
            self.logger.info("%s", _summary_line(record))
        seconds = time.monotonic() - self._began_seconds
        counted = ", ".join(
            f"{number} {state}"
            for state in StageState
            if (number := sum(record.state is state for record in records))
        )
        fields = {"duration_ms": round(seconds * 1000, 3), "stages": len(records)}
        is_bad = error is not None or any(record.state in _BAD for record in records)
        word = "FAILED" if is_bad else "COMPLETED"
        text = f"{self._log.mark(word)}Pipeline {self.job_id}: {word} ({seconds:.2f} s)"
        text += f", stages: {counted or 'none'}"
        if not is_bad:
            self.logger.info("%s", text, stage="pipeline:complete", **fields)
        elif error is None:
            self.logger.error("%s", text, stage="pipeline:error", **fields)
        else:
            self.logger.error("%s", text, stage="pipeline:error", **fields, exc_info=error)

    def _stages_of_this_run(self) -> list[StageRecord]:
        try:
            records = read_job(self.job_dir).stages
        except StageNotFoundError:
            return []
        return [
            record
            for record in records
            if record.manifest is None or record.manifest.updated_at >= self._began_at
        ]


def _summary_line(record: StageRecord) -> str:
    manifest = record.manifest
    head = f"{record.directory.number:02d} {record.name}: {record.state}"
    if manifest is None:
        return f"{head}, {record.fault}"
    resources = manifest.resources
    made = sum(output.size_bytes for output in manifest.outputs)
    parts = [
        f"{manifest.duration_seconds:.2f} s",
        f"{resources.cpu_seconds:.2f} CPU s",
        f"peak {resources.peak_rss_bytes / 1e6:.0f} MB",
        f"{len(manifest.outputs)} outputs ({made / 1e6:.1f} MB)",
        *(f"{amount:g} {currency}" for currency, amount in manifest.cost.totals.items()),
    ]
    if manifest.warnings:
        parts.append(f"{len(manifest.warnings)} warnings")
    return f"{head}, {', '.join(parts)}"
