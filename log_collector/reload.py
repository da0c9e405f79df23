"""Notices that the configuration file has changed, and puts the new one in force or says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import structlog

from log_collector.config import FIXED_SECTIONS, CollectorConfig
from service_host.config import ConfigError, Loaded

Log: TypeAlias = structlog.typing.FilteringBoundLogger
Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


class Reloader:
    """Belongs to the event loop. `apply` takes the old and the new configuration and does not raise."""

    def __init__(
        self,
        loaded: Loaded[CollectorConfig],
        apply: Callable[[CollectorConfig, CollectorConfig], None],
        log: Log,
    ) -> None:
        self._loaded = loaded
        self._apply = apply
        self._log = log
        self._stamp = self._read_stamp()
        self.reloads = 0
        """How many configurations were put in force."""
        self.last_fault = ""
        """Why the newest file is not in force; empty: it is."""

    def reload_if_changed(self) -> None:
        """Loads the file again when it or the rules file looks different."""
        if self._stamp != self._read_stamp():
            self.reload()

    def reload(self) -> None:
        """Loads all sources again; a faulty file leaves the old configuration in force."""
        self._stamp = self._read_stamp()
        if self._loaded.load_again is None:
            return
        try:
            fresh = self._loaded.load_again()
        except ConfigError as error:
            self.last_fault = str(error)
            self._log.error("configuration_not_reloaded", error=str(error))
            return
        old, new = self._loaded.value, fresh.value
        fixed = [name for name in FIXED_SECTIONS if getattr(old, name) != getattr(new, name)]
        if fixed:
            self._log.warning("configuration_needs_restart", sections=fixed)
        self._apply(old, new)
        self._loaded = fresh
        self._stamp = self._read_stamp()
        self.reloads += 1
        self.last_fault = ""
        self._log.info("configuration_reloaded")

    def _read_stamp(self) -> Stamp:
        paths = (self._loaded.path, self._loaded.value.redaction.rules_file)
        return tuple(_stamp_of(path) for path in paths if path is not None)


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_size)
