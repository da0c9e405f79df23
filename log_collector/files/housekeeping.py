"""Looks after files that are not written any more: packs them, deletes what is expired; in the background."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from log_collector.files import names
from log_collector.files.config import Compression, FilesConfig, Rotation
from log_collector.files.packing import pack_file
from log_collector.files.rotation import KeptFile, expired, is_rotation_due
from log_collector.files.routing import Routing

_DIRECTORIES_AT_ONCE: Final = 1000
RETIRED_PREFIX: Final = ".retired-"


class Due(msgspec.Struct):
    """What only the writer of the files may do, between two writes."""

    rotations: set[str] = msgspec.field(default_factory=set)
    """Streams to be rotated."""
    retirements: set[str] = msgspec.field(default_factory=set)
    """Directories of jobs whose files are all expired, relative to the root."""


class Housekeeper:
    """Called from one background thread; what it finds for the writer is taken with `take_due`."""

    def __init__(
        self,
        root: Path,
        config: FilesConfig,
        routing: Routing,
        clock: Callable[[], float],
        report: Callable[[str, str], None],
    ) -> None:
        """`report` receives an event and what was wrong."""
        self._root = root
        self._config = config
        self._routing = routing
        self._clock = clock
        self._report = report
        self._lock = threading.Lock()
        self._due = Due()
        self._walk: Iterator[None] | None = None
        self._is_stopping = False
        self.expired_files = 0
        self.expired: Counter[str] = Counter()
        """Files and jobs that retention took away, by reason: "too_old", "too_much", "too_many_jobs",
        "tenant_quota"."""
        self.packed_files = 0

    @property
    def has_due(self) -> bool:
        """Whether `take_due` would return anything."""
        return bool(self._due.rotations or self._due.retirements)

    def take_due(self) -> Due:
        """What is for the writer to do."""
        with self._lock:
            due, self._due = self._due, Due()
        return due

    def stop(self) -> None:
        """Ends a look at its next step."""
        self._is_stopping = True

    def look(self) -> None:
        """Goes through a part of the directory; a fault is reported and looked at again the next time."""
        try:
            if self._walk is None:
                self._walk = self._pass()
            for _ in range(_DIRECTORIES_AT_ONCE):
                if self._is_stopping or next(self._walk, self) is self:
                    self._walk = None
                    return
        except OSError as error:
            self._walk = None
            self._report("files_not_kept", str(error))

    def pack(self, path: Path, compression: Compression) -> None:
        """Packs one file that was rotated."""
        if compression is Compression.NONE or self._is_stopping:
            return
        try:
            pack_file(path, compression)
            self.packed_files += 1
        except FileNotFoundError:
            return
        except OSError as error:
            self._report("file_not_packed", f"{path.name}: {error.strerror or error}")

    def _pass(self) -> Iterator[None]:
        """Each tenant's files by themselves: the limits hold for each."""
        for home in [""] if self._routing.stream else names.homes_in(self._root):
            yield from self._pass_home(home)

    def _pass_home(self, home: str) -> Iterator[None]:
        by_class: dict[int, tuple[Rotation, list[KeptFile]]] = {}
        for file in names.files_in(self._root, home.rstrip("/"), stream=self._routing.stream):
            self._see(file, by_class)
        yield
        jobs: list[KeptFile] = []
        for directory in self._job_directories(home):
            if directory.name.startswith(RETIRED_PREFIX):
                _remove_own(directory)
                continue
            self._see_job(home, directory, jobs, by_class)
            yield
        for kind, files in by_class.values():
            for gone in self._expired(files, kind):
                self._unlink(gone)
                files.remove(gone)
        jobs = self._within_quota(home, [file for _, files in by_class.values() for file in files], jobs)
        excess = sorted(jobs, key=lambda job: job.written_seconds)[: -self._config.keep_jobs or None]
        if not self._config.keep_jobs or len(jobs) <= self._config.keep_jobs:
            excess = []
        self.expired["too_many_jobs"] += len(excess)
        for job in [*self._expired(jobs, self._config.jobs), *excess]:
            with self._lock:
                self._due.retirements.add(job.name)

    def _unlink(self, file: KeptFile) -> None:
        (self._root / file.name).unlink(missing_ok=True)
        self.expired_files += 1

    def _within_quota(self, home: str, files: list[KeptFile], jobs: list[KeptFile]) -> list[KeptFile]:
        """Deletes a tenant's oldest files and jobs while it has more than it may; returns jobs that stay."""
        limit = self._config.tenant_bytes_of.get(names.tenant_of_home(home), self._config.tenant_bytes)
        kept = [file for file in files if not file.name.startswith(f"{home}{names.JOBS_DIRECTORY}/")]
        kept_bytes = sum(each.size_bytes for each in (*kept, *jobs))
        gone: set[str] = set()
        for each in sorted((*kept, *jobs), key=lambda each: each.written_seconds) if limit else ():
            if kept_bytes <= limit:
                break
            kept_bytes -= each.size_bytes
            gone.add(each.name)
            self.expired["tenant_quota"] += 1
            if each.stream == each.name:
                with self._lock:
                    self._due.retirements.add(each.name)
            else:
                self._unlink(each)
        return [job for job in jobs if job.name not in gone]

    def _expired(self, files: list[KeptFile], kind: Rotation) -> list[KeptFile]:
        keep_seconds, now = self._config.keep_seconds(kind), self._clock()
        gone = expired(
            files, now, keep_seconds=keep_seconds, keep_count=kind.keep_count, keep_bytes=kind.keep_bytes
        )
        old = sum(bool(keep_seconds) and now - file.written_seconds > keep_seconds for file in gone)
        self.expired["too_old"] += old
        self.expired["too_much"] += len(gone) - old
        if len(gone) > old:
            self._report("files_expired_by_size", f"{len(gone) - old} files or jobs beyond the limits")
        return gone

    def _job_directories(self, home: str) -> Iterator[Path]:
        try:
            with os.scandir(self._root / home / names.JOBS_DIRECTORY) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield Path(entry.path)
        except FileNotFoundError:
            return

    def _see_job(
        self,
        home: str,
        directory: Path,
        jobs: list[KeptFile],
        by_class: dict[int, tuple[Rotation, list[KeptFile]]],
    ) -> None:
        relative = f"{home}{names.JOBS_DIRECTORY}/{directory.name}"
        written, size = 0.0, 0
        for file in names.files_in(self._root, relative):
            status = self._see(file, by_class if self._config.jobs.keep_count else None)
            if status is not None:
                written = max(written, status.st_mtime)
                size += status.st_size
        if written:
            jobs.append(KeptFile(relative, relative, written, size))

    def _see(
        self, file: names.LogFile, by_class: dict[int, tuple[Rotation, list[KeptFile]]] | None
    ) -> os.stat_result | None:
        try:
            status = file.path.stat()
        except FileNotFoundError:
            return None
        kind = self._routing.class_of(file.stream)
        if file.is_active:
            is_due = is_rotation_due(
                status.st_size,
                status.st_mtime,
                self._clock(),
                limit_bytes=kind.rotate_bytes,
                period_seconds=kind.rotate_seconds,
            )
            if is_due:
                with self._lock:
                    self._due.rotations.add(file.stream)
            return status
        if by_class is not None and file.number:
            name = file.path.relative_to(self._root).as_posix()
            kept = KeptFile(name, file.stream, status.st_mtime, status.st_size)
            by_class.setdefault(id(kind), (kind, []))[1].append(kept)
        if file.number and file.path.suffix not in (".zst", ".gz"):
            self.pack(file.path, kind.compression)
        return status


def _remove_own(directory: Path) -> None:
    """Removes the sink's own files, and the directory where nothing of somebody else's is left in it."""
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            is_draft = path.name.startswith(".") and path.name.endswith(".tmp")
            if names.is_own_name(path.name) or is_draft:
                with contextlib.suppress(OSError):
                    path.unlink()
        directory.rmdir()
