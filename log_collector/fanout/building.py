"""Builds the sinks that the configuration asks for, and exchanges those that a new one changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec
import structlog

from log_collector.config import CollectorConfig
from log_collector.data_files import FILES_KIND, has_only_log_files
from log_collector.fanout.fanout import Fanout
from log_collector.files.sink import FileSink
from log_collector.sinks.forward.config import ForwardConfig
from log_collector.sinks.forward.endpoints import open_endpoint
from log_collector.sinks.forward.sink import ForwardSink
from log_collector.sinks.sink import Sink
from log_collector.sinks.stdout import StdoutSink
from service_host.disk.data_directory import require_directory
from service_host.errors import StartError

FILE_SINK: Final = "file"
_LOGS: Final = "logs"
_DEAD_LETTERS: Final = "dead-letters"

Log = structlog.typing.FilteringBoundLogger


class Plan(msgspec.Struct, frozen=True):
    """A sink that is to be there."""

    config: msgspec.Struct
    lag_bytes: int = 0


def logs_directory(config: CollectorConfig) -> Path:
    """Where the files are."""
    return config.files.directory or config.data_dir / _LOGS


class Output:
    """Belongs to the event loop."""

    def __init__(self, fanout: Fanout, log: Log) -> None:
        """Opens nothing yet."""
        self._fanout = fanout
        self._log = log
        self._plans: dict[str, Plan] = {}
        self._lock = asyncio.Lock()

    async def apply(self, config: CollectorConfig) -> None:
        """Makes the sinks those of this configuration; one that stays as it is is not touched.

        Raises StartError at the first time where the files' directory is of somebody else; later all sinks
        stay as they are then.
        """
        async with self._lock:
            try:
                require_files_directory(config, has_delivered=self._fanout.knows(FILE_SINK))
            except (StartError, OSError) as error:
                if not self._plans:
                    raise StartError(str(error)) from error
                self._log.error("files_directory_refused", reason=str(error))
                return
            wanted = _plans(config)
            for name, plan in list(self._plans.items()):
                if wanted.get(name) != plan:
                    await self._fanout.stop(name)
                    del self._plans[name]
            for name, plan in wanted.items():
                if name not in self._plans:
                    self._fanout.start(name, self._sink(name, config), config.retry, plan.lag_bytes)
                    self._plans[name] = plan
            self._fanout.forget_others()

    def _sink(self, name: str, config: CollectorConfig) -> Sink:
        if name == FILE_SINK:
            return FileSink(logs_directory(config), config.files, self._report)
        for target in config.forward:
            if name == _forward_name(target):
                return ForwardSink(target.name, open_endpoint(target))
        if name in (targets := config.http_targets()):
            # Late: only who sends over HTTP needs its library.
            from log_collector.sinks.building import open_http_sink

            return open_http_sink(targets[name], config.data_dir / _DEAD_LETTERS / f"{name}.log")
        return StdoutSink(config.stdout.format)

    def _report(self, event: str, reason: str) -> None:
        self._log.warning(event, reason=reason)


def require_files_directory(config: CollectorConfig, *, has_delivered: bool) -> None:
    """Makes or takes over a directory of the files that lies outside the data directory.

    `has_delivered`: whether this collector has written files before, which release 0.1.0 did without a
    marker. Raises StartError, OSError.
    """
    directory = config.files.directory
    if config.files.is_on and directory is not None:
        require_directory(directory, FILES_KIND, lambda path: has_delivered and has_only_log_files(path))


def _plans(config: CollectorConfig) -> dict[str, Plan]:
    plans: dict[str, Plan] = {}
    if config.files.is_on:
        plans[FILE_SINK] = Plan(config.files)
    if config.stdout.is_on:
        plans["stdout"] = Plan(config.stdout, config.stdout.lag_bytes)
    for target in config.forward:
        plans[_forward_name(target)] = Plan(target, target.lag_bytes)
    for name, http_target in config.http_targets().items():
        plans[name] = Plan(http_target, http_target.lag_bytes)
    return plans


def _forward_name(target: ForwardConfig) -> str:
    return f"forward.{target.name}"
