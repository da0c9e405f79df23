"""Builds the sinks that the configuration asks for, and exchanges those that a new one changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from log_collector.config import CollectorConfig
from log_collector.data_files import FILE_SINK, FILES_KIND, LOGS, has_only_log_files
from log_collector.fanout.fanout import Fanout
from log_collector.sinks.table import Place, PlannedSink
from service_host.disk.data_directory import require_directory
from service_host.errors import StartError

Log = structlog.typing.FilteringBoundLogger


def logs_directory(config: CollectorConfig) -> Path:
    """Where the files are."""
    return config.files.directory or config.data_dir / LOGS


class Topology:
    """Which sinks the fan-out has. Belongs to the event loop."""

    def __init__(self, fanout: Fanout, log: Log) -> None:
        """Opens nothing yet."""
        self._fanout = fanout
        self._log = log
        self._plans: dict[str, PlannedSink] = {}
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
            wanted = config.sinks()
            for name, plan in list(self._plans.items()):
                if wanted.get(name) != plan:
                    await self._fanout.stop(name)
                    del self._plans[name]
            for name, plan in wanted.items():
                if name not in self._plans:
                    sink = plan.row.open(plan.settings, Place(name, config.data_dir, self._report))
                    self._fanout.start(name, sink, config.retry, plan.lag_bytes)
                    self._plans[name] = plan
            self._fanout.forget_others()

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
