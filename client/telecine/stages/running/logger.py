"""The logger of a stage: every detail to stage.log, the course to the pipeline's log, all of it shipped.

Records go to two places at once: to the files in the job directory, rendered for people, and to wherever this
process logs (files, console, collector) with `job_id`, `stage` and `attempt`. Both ways redact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from telecine.logging import get_logger
from telecine.logging.catalogue import Level
from telecine.logging.logger import Logger, Source
from telecine.logging.outputs.files import RotatingFile
from telecine.logging.outputs.rendering import Format, Renderer, renderer
from telecine.logging.pipeline import Output, Pipeline
from telecine.logging.redaction import Redactor
from telecine.logging.setup import STATE
from telecine.stages.settings import StageSettings

STAGE_FIELD_PREFIX: Final = "stage:"
"""What stands before a stage's name in the field `stage` of a record: `stage:asr`."""
PIPELINE_NAME: Final = "pipeline"
"""The logger for what happens in the pipeline."""

_MARKS: Final = {
    "STARTING": "▶️  ",
    "COMPLETED": "✅ ",
    "FAILED": "❌ ",
    "SKIPPED": "⏭️  ",
    "input": "📥 ",
    "output": "📤 ",
}
_SHOWN_APART = frozenset({"timestamp", "level", "service", "msg", "logger", "env", "stack", "stage"})
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_pairs = renderer(Format.KV)


@dataclass(frozen=True, slots=True)
class StageFiles:
    """Where the files of a stage, or of a pipeline, are, and what they are written with."""

    stage_log: Path | None
    pipeline_log: Path
    hidden: tuple[tuple[str, Any], ...]
    """Fields that all records share, and that are not written."""
    settings: StageSettings

    def late(self) -> list[LateFile]:
        """The files, each opened for the records that come; the pipeline's first."""
        render = stage_line_renderer(dict(self.hidden))
        limits = (self.settings.log_max_bytes, self.settings.log_backups)
        found = [LateFile(self.pipeline_log, render, Level.INFO, *limits)]
        if self.stage_log is not None:
            found.append(LateFile(self.stage_log, render, self.settings.log_level, *limits))
        return found


class StageLogger:
    """Telecine's logger, twice. Methods take an event, %-arguments and fields, and never raise."""

    __slots__ = ("_files", "_in_files", "_in_process")

    def __init__(self, in_files: Logger, in_process: Logger, files: StageFiles) -> None:
        """Made by `Stage`; a program takes `stage.logger`.

        Args:
            in_files: The logger of the stage's own files.
            in_process: The logger that writes wherever the process logs.
            files: How the files are opened, for a copy in another process.
        """
        self._in_files = in_files
        self._in_process = in_process
        self._files = files

    def bind(self, **fields: Any) -> Self:
        """A logger that carries these fields too."""
        return type(self)(self._in_files.bind(**fields), self._in_process.bind(**fields), self._files)

    def __reduce__(self) -> tuple[Callable[..., StageLogger], tuple[Any, ...]]:
        # In another process it writes to the same files, and wherever that process logs.
        _, (_, name, bound) = self._in_files.__reduce__()
        return _unpickled, (self._files, name, bound, self._in_process)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def is_enabled_for(self, level: int) -> bool:
        """Whether a record of this level would be taken anywhere."""
        return self._in_files.is_enabled_for(level) or self._in_process.is_enabled_for(level)

    isEnabledFor = is_enabled_for  # noqa: N815 - the name in stdlib logging

    def debug(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Detail for finding faults; in the files it stands in stage.log alone."""
        self.log(Level.DEBUG, event, *args, **fields)

    def info(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Progress; stands in the pipeline's log too, as all that is graver."""
        self.log(Level.INFO, event, *args, **fields)

    def warning(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Something may go wrong. `stage.add_warning` puts it into the manifest as well."""
        self.log(Level.WARNING, event, *args, **fields)

    def error(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """Something failed. `stage.add_error` puts it into the manifest as well."""
        self.log(Level.ERROR, event, *args, **fields)

    def critical(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """The pipeline may not go on."""
        self.log(Level.CRITICAL, event, *args, **fields)

    def exception(self, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """`error`, with the exception that is being handled."""
        self.log(Level.ERROR, event, *args, **({"exc_info": True} | fields))

    def log(self, level: int | str, event: Any = "", /, *args: Any, **fields: Any) -> None:
        """At a level given as a number or a name."""
        self._in_files.log(level, event, *args, **fields)
        self._in_process.log(level, event, *args, **fields)


class LateFile:
    """A log file of a stage that has ended: it is opened for each record, and closed again.

    Few records come as late as that, and nothing would close the file. A directory that was removed
    meanwhile is not made again for them: the record is counted in `failures`.
    """

    def __init__(self, path: Path, render: Renderer, level: int, max_bytes: int, backups: int) -> None:
        self.path = path
        self.level = level
        self.failures = 0
        self._opening = (path, render, level, max_bytes, backups)

    def write(self, line: bytes) -> None:
        """Writes one record."""
        if not self.path.parent.is_dir():
            self.failures += 1
            return
        try:
            file = RotatingFile(*self._opening)
        except OSError:
            self.failures += 1
            return
        file.write(line)
        self.failures += file.failures
        file.close()

    def close(self) -> None:
        """Nothing is open."""


class StageLog:
    """Opens the log files of a stage, or of a pipeline. `close` releases them and is idempotent.

    Args:
        name: The logger's name in the files.
        stage_log: The stage's own file. None: there is none, as for a pipeline.
        pipeline_log: The file of the whole run; it gets INFO and what is graver.
        fields: Bound to every record that is shipped.
        settings: Sizes of the files, and the level of `stage_log`.

    Raises:
        OSError: A file cannot be opened.
    """

    def __init__(
        self,
        name: str,
        stage_log: Path | None,
        pipeline_log: Path,
        fields: dict[str, Any],
        settings: StageSettings,
    ) -> None:
        files = StageFiles(stage_log, pipeline_log, tuple(fields.items()), settings)
        render = stage_line_renderer(fields)
        limits = (settings.log_max_bytes, settings.log_backups)
        process = STATE.pipeline()
        self.redactor: Redactor = process.redactor
        self._outputs = [RotatingFile(pipeline_log, render, Level.INFO, *limits)]
        if stage_log is not None:
            self._outputs.append(RotatingFile(stage_log, render, settings.log_level, *limits))
        self._has_marks = settings.has_marks
        self._late = files.late()
        self._files = Pipeline(
            process.service, "", self.redactor, tuple(self._outputs), is_shown_to_tests=False
        )
        shipped = get_logger(f"stages.{name}").bind(**fields)
        self.logger = StageLogger(Logger(Source(name, self._files, Level.TRACE)), shipped, files)
        """For the caller."""
        self.course = StageLogger(Logger(Source(PIPELINE_NAME, self._files, Level.TRACE)), shipped, files)
        """For the stage itself: started, read, made, ended."""

    def mark(self, event: str) -> str:
        """Returns the sign before a line about STARTING, COMPLETED, FAILED, SKIPPED, input or output."""
        return _MARKS[event] if self._has_marks else ""

    def set_level(self, level: int) -> None:
        """Sets the lowest level that the stage's own file gets."""
        files: list[Output] = [*self._outputs[1:], *self._late[1:]]
        for file in files:
            file.level = level

    def close(self) -> None:
        """Releases the files; what is logged later still gets into them."""
        self._files.close()
        self._files.outputs = tuple(self._late)

    def forked(self) -> None:
        """In the child after a fork: no lock of the parent's is used any more."""
        self._files.forked()


def _unpickled(files: StageFiles, name: str, bound: dict[str, Any], in_process: Logger) -> StageLogger:
    """The logger of a stage that runs in another process."""
    process = STATE.pipeline()
    pipeline = Pipeline(process.service, "", process.redactor, tuple(files.late()), is_shown_to_tests=False)
    return StageLogger(Logger(Source(name, pipeline, Level.TRACE), bound), in_process, files)


def stage_line_renderer(hidden: dict[str, Any]) -> Renderer:
    """Renders `[time] [logger] [LEVEL] message key=value`, without the fields that all records share."""

    def render(line: bytes) -> bytes:
        record = _decode(line)
        rest = {
            name: value
            for name, value in record.items()
            if name not in _SHOWN_APART and hidden.get(name, ...) != value
        }
        pairs = " " + _pairs(_encode(rest)).decode().rstrip("\n") if rest else ""
        time_text = f"{str(record.get('timestamp', ''))[:23]}Z"
        # A message of several lines cannot pass for several records.
        message = str(record.get("msg", "")).replace("\n", "\n    ")
        text = f"[{time_text}] [{record.get('logger', '')}] [{record.get('level', 'INFO')}] {message}{pairs}"
        stack = record.get("stack")
        if stack:
            text += f"\n{stack}"
        return (text.rstrip("\n") + "\n").encode("utf-8", "backslashreplace")

    return render
