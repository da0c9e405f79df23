"""Notices that a service's configuration has changed; puts in force what may change, or says why not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

import msgspec
import structlog
from telecine.settings.loading import ConfigError, Loaded, leaves

Log: TypeAlias = structlog.typing.FilteringBoundLogger
Stamp: TypeAlias = tuple[tuple[int, int, int], ...]

ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)


class Reloader(Generic[ConfigT]):
    """Belongs to the event loop.

    `apply` takes the old and the new configuration and does not raise. `fixed`: fields of the
    configuration that a running service cannot change; they keep their values, and a warning names every
    key that waits for a restart. `other_files`: what else is looked at for changes.
    """

    def __init__(
        self,
        loaded: Loaded[ConfigT],
        apply: Callable[[ConfigT, ConfigT], None],
        fixed: Collection[str],
        log: Log,
        other_files: Callable[[ConfigT], Iterable[Path]] = lambda _: (),
    ) -> None:
        self._loaded = loaded
        self._apply = apply
        self._fixed = fixed
        self._log = log
        self._other_files = other_files
        self._stamp = self._read_stamp()
        self.reloads = 0
        """How many configurations were put in force."""
        self.last_fault = ""
        """Why the newest file is not in force; empty: it is."""

    @property
    def in_force(self) -> Loaded[ConfigT]:
        """The configuration as it is now."""
        return self._loaded

    def reload_if_changed(self) -> None:
        """Loads the file again when it, or another that counts, looks different."""
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
            self._refuse(str(error))
            return
        old = self._loaded.value
        kept = {name: getattr(old, name) for name in self._fixed}
        new = msgspec.structs.replace(fresh.value, **kept)
        waiting = changed_keys(fresh.value, new)
        # What was sound with the new values of fixed fields may contradict the old ones.
        if faults := _faults_of(new):
            self._refuse(f"{faults}; restart the service, or change {', '.join(waiting)} back")
            return
        if waiting:
            self._log.warning("configuration_needs_restart", keys=waiting)
        self._apply(old, new)
        self._loaded = Loaded(new, fresh.sources, fresh.path, fresh.load_again)
        self._stamp = self._read_stamp()
        self.reloads += 1
        self.last_fault = ""
        self._log.info("configuration_reloaded", keys=changed_keys(new, old))

    def _refuse(self, reason: str) -> None:
        self.last_fault = reason
        self._log.error("configuration_not_reloaded", error=reason)

    def _read_stamp(self) -> Stamp:
        paths = (self._loaded.path, *self._other_files(self._loaded.value))
        return tuple(_stamp_of(path) for path in paths if path is not None)


def changed_keys(new: object, old: object) -> list[str]:
    """The dotted keys of settings that differ, those that one of them lacks included. Sorted."""
    news, olds = dict(leaves(new)), dict(leaves(old))
    return sorted(key for key in news | olds if news.get(key, _ABSENT) != olds.get(key, _ABSENT))


_ABSENT = object()


def _faults_of(config: msgspec.Struct) -> str:
    check = getattr(config, "find_faults", None)
    return "; ".join(f"{field}: {expected}" for field, expected in check()) if check is not None else ""


def _stamp_of(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_ino, status.st_size)
