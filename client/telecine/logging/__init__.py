"""Structured logging that survives the process: records go to a spool first, then to the log collector."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

from msgspec.structs import replace

from telecine.logging.arguments import LogConfig
from telecine.logging.bridges.progress_bars import FoldedStream
from telecine.logging.catalogue import Level
from telecine.logging.configuration import LogConfigError, log_config, logging_from_file, program_name
from telecine.logging.logger import Logger, known_level
from telecine.logging.operations.operation import Operation, OperationStatus, Timer, current_operation
from telecine.logging.operations.watched import watched
from telecine.logging.outputs.console import ConsoleTarget
from telecine.logging.record.context import (
    REQUEST_ID_KEY,
    LogContext,
    bind_artifact_context,
    bind_job_context,
    current_request_id,
    ensure_request_id,
)
from telecine.logging.redaction.rules import RulePack
from telecine.logging.setup import STATE
from telecine.logging.shipping.spool import SpoolLimits
from telecine.logging.unknown_variables import report_unknown_variables
from telecine.tls.options import Tls

__all__ = [
    "REQUEST_ID_KEY",
    "FoldedStream",
    "Level",
    "LogConfig",
    "LogConfigError",
    "LogContext",
    "Logger",
    "Operation",
    "OperationStatus",
    "bind_artifact_context",
    "bind_job_context",
    "configure_logging",
    "configure_service_logging",
    "current_operation",
    "current_request_id",
    "ensure_request_id",
    "flush_logging",
    "get_logger",
    "log_execution_time",
    "logging_stats",
    "operation",
    "reload_log_level",
    "set_log_level",
    "shutdown_logging",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def configure_logging(
    service: str | LogConfig | None = None,
    *,
    env: str | None = None,
    service_version: str | None = None,
    level: str | int | None = None,
    console: str | None = None,
    console_format: str | None = None,
    directory: str | Path | None = None,
    has_files: bool = True,
    file_format: str | None = None,
    file_max_bytes: int | None = None,
    file_backups: int | None = None,
    errors_max_bytes: int | None = None,
    errors_backups: int | None = None,
    collector: str | None = None,
    tls: Tls | None = None,
    spool_directory: str | Path | None = None,
    spool_limits: SpoolLimits | None = None,
    flush_seconds: float | None = None,
    answer_seconds: float | None = None,
    tells_origin: bool | None = None,
    sampling: dict[str, int] | None = None,
    sample_by: str | None = None,
    redacts_email: bool | None = None,
    redacts_ip: bool | None = None,
    redaction_key: bytes | None = None,
    redaction_rules: RulePack | None = None,
    bridges_stdlib: bool | None = None,
    records_uncaught: bool | None = None,
    folds_progress: bool | None = None,
) -> Logger:
    """Sets this process's logging up, or anew, and returns its logger. Call it once, at the entry point.

    Args:
        service: The component that emits, or a `LogConfig`, which says several things at once; arguments
            beside it win. None: the program's name.
        has_files: Whether there are local files.
        **others: The fields of `LogConfig`, which say unit, limits and default. None: what the environment
            says (`TELECINE_LOG_LEVEL` …), or else the section `logging` of a file (TELECINE_CONFIG,
            `telecine.toml`), or else the default.

    Raises:
        LogConfigError: Something given cannot be used; the message lists every fault.
        OSError: A log file or the spool cannot be written.
    """
    arguments: dict[str, Any] = {k: v for k, v in locals().items() if k != "service"}
    return _configured(service if isinstance(service, LogConfig) else LogConfig(service=service), arguments)


def _configured(said: LogConfig, arguments: dict[str, Any]) -> Logger:
    """Configures what the value and, before it, the arguments say."""
    has_files = arguments.pop("has_files") and said.has_files
    name = program_name() if said.service is None else said.service
    known = said.arguments() | {k: v for k, v in arguments.items() if v is not None}
    config = log_config(name, known, os.environ, logging_from_file(os.environ))
    STATE.configure(config if has_files else replace(config, directory=None))
    report_unknown_variables(os.environ, STATE.logger("telecine.settings"))
    return STATE.logger(name)


def configure_service_logging(service: str, directory: Path, config_file: Path | None = None) -> Logger:
    """Configures logging of a Telecine service, whose standard output is for its ready line.

    It writes to standard error (never to standard output) and to `directory`, unless the configuration
    file or the environment says otherwise.

    Args:
        service: The component that emits. 1 to 64 characters of [A-Za-z0-9._-].
        directory: Of its log files.
        config_file: The one that the service itself reads. None: the one for everything, if there is one.

    Raises:
        LogConfigError: Something that is set cannot be used; the message lists every fault.
        OSError: A log file or the spool cannot be written.
    """
    own = {"console": ConsoleTarget.STDERR, "directory": directory}
    config = log_config(
        service, {}, os.environ, own | logging_from_file(os.environ, config_file), config_file
    )
    if config.console is ConsoleTarget.STDOUT:
        config = replace(config, console=ConsoleTarget.STDERR)
    STATE.configure(config)
    report_unknown_variables(os.environ, STATE.logger("telecine.settings"))
    return STATE.logger(service)


def reload_log_level(config_file: Path | None = None) -> None:
    """Puts the level in force that the file and the environment say now.

    Raises:
        LogConfigError: they are wrong; the level stays.
    """
    STATE.set_level(log_config("x", {}, os.environ, logging_from_file(os.environ, config_file)).level, None)


def get_logger(name: str = "", **fields: Any) -> Logger:
    """The logger of a dotted name, usually `__name__`, with fields bound to it."""
    logger = STATE.logger(name)
    return logger.bind(**fields) if fields else logger


def operation(name: str, log: Logger | Mapping[str, Any] | None = None, /, **context: Any) -> Operation:
    """A piece of work: `with operation("process_clip", job_id=job_id) as work:`; async; `@operation(…)`.

    At its end it writes one record with its status, its `duration_ms`, the context, what `work.event(…)`
    and `work.set(…)` noted, and the error, if any. Its stage is `operation:<name>`, or the name itself where
    it has a colon, so a job's story shows how long it took. Records within carry the context; an operation
    within names this one as its parent. Where no block fits: `work = operation(…).start()`, and `work.end()`.

    Args:
        name: What is done, such as "process_clip".
        log: Where the records go. None: the logger `telecine.operations`. A mapping is more context.
        **context: Stands on its records.
    """
    logger = None if isinstance(log, Mapping) else log
    if isinstance(log, Mapping):
        context = {str(key): value for key, value in log.items()} | context
    return Operation(name, context, lambda: logger or get_logger("telecine.operations"))


@overload
def log_execution_time(function: Callable[_P, _R], /) -> Callable[_P, _R]: ...


@overload
def log_execution_time(
    *, name: str = ..., level: str | int = ..., log: Logger | None = ..., **fields: Any
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...


def log_execution_time(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    level: str | int = Level.DEBUG,
    log: Logger | None = None,
    **fields: Any,
) -> Any:
    """Logs how long each call takes: functions, coroutine functions, generators and async generators.

    `@log_execution_time` or `@log_execution_time(level="INFO", …)`. One record at the end of each call with
    `duration_ms`, in the stage `operation:<name>`. A generator's `duration_ms` counts its own code alone;
    `elapsed_ms` is with the time of its consumer. Calls cost nothing while the level is off.

    Args:
        function: What is timed. None: the result is a decorator.
        name: Names it in the records. Empty: the function's own name.
        level: The level of the records, by name or number.
        log: Where they go. None: the logger of the function's module.
        **fields: Stand on the records too.
    """
    threshold = known_level(level)

    def decorated(inner: Callable[_P, _R]) -> Callable[_P, _R]:
        known = name or inner.__qualname__.rpartition("<locals>.")[2]
        target = log or get_logger(inner.__module__)
        return watched(
            inner,
            lambda: Timer(known, fields, target, threshold) if target.is_enabled_for(threshold) else None,
        )

    return decorated if function is None else decorated(function)


def set_log_level(level: str | int, name: str | None = None) -> None:
    """Changes the level at run time: of all loggers, or of one name and the names below it.

    Raises:
        ValueError: there is no such level.
    """
    config = log_config("x", {"level": level}, {})
    STATE.set_level(config.level, name)


def flush_logging(timeout_seconds: float = 5.0) -> bool:
    """Waits until the collector has acknowledged all records; False when it did not in time.

    True at once without a collector. Nothing is lost either way: what is left stays in the spool.
    """
    return STATE.flush(timeout_seconds)


def shutdown_logging() -> None:
    """Ships what can be shipped, closes files and threads. Runs by itself when the interpreter ends."""
    STATE.shut_down()


def logging_stats() -> dict[str, int]:
    """Counters since `configure_logging`: spool drops, shipped, rejected, unanswered streams, redactions,
    own failures."""
    return STATE.stats()
