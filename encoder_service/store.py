"""Keeps records, job directories and artifacts on one disk so that a kill at any instant is safe.

    data_dir/
      lock                                  held by the one service that may write here
      jobs/<job_id>.json                    the record: replaced whole, never edited
      spool/<job_id>/video.raw              frames; gone once the job has ended
      spool/<job_id>/pictures/<sha256>      images of overlays; go with the frames
      artifacts/<YYYYMMDD_HHMMSS>_<job_id>/ manifest.json, stage.log, the artifacts
        .partial/<output>.<attempt>/        files of an attempt that nobody may read yet

Order of an output's end: the worker verifies its files in `.partial` -> the record holds the evidence ->
the files are renamed into place. Order of a job's end: the record holds the end -> manifest -> spool removed.
Every method blocks; those about one job must not run at the same time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import msgspec

from encoder_service import faults
from encoder_service.manifest import FILE_NAME, STAGE_LOG_NAME
from encoder_service.record import JobRecord
from encoder_service.spool import VIDEO_FILE_NAME, Spool
from encoder_service.work import ProducedFile

PARTIAL = ".partial"
PICTURES = "pictures"
_DELETED_PREFIX = ".deleted-"
_RESERVED = {FILE_NAME, STAGE_LOG_NAME, PARTIAL}


class DataDirectoryError(Exception):
    """The data directory cannot be used; the message says how to mend it."""


class UnsafePathError(Exception):
    """A worker named a file that does not lie in its own directory."""


class MissingFileError(Exception):
    """A file that the evidence names is neither in place nor in `.partial`."""


class Store:
    """The data directory of one service."""

    def __init__(self, root: Path, *, is_synced: bool = False) -> None:
        self._root = root
        self._is_synced = is_synced
        self._records = root / "jobs"
        self._spools = root / "spool"
        self._artifacts = root / "artifacts"
        self._lock: int | None = None

    # --- opening ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Makes the directories and takes the lock. Raises DataDirectoryError."""
        try:
            for directory in (self._records, self._spools, self._artifacts):
                directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise DataDirectoryError(
                f"data_dir {self._root} is used by another encoder service; stop it or choose another"
            ) from error
        except OSError as error:
            self.close()
            raise DataDirectoryError(f"data_dir {self._root} cannot be used: {error}") from error

    def close(self) -> None:
        """Gives the lock back; idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- records ---------------------------------------------------------------------------------

    def save(self, record: JobRecord) -> None:
        """Replaces the job's record, whole or not at all. Raises OSError."""
        self._write(self._records / f"{record.job_id}.json", msgspec.json.encode(record))

    def load(self) -> Iterator[JobRecord | tuple[Path, str]]:
        """Reads every record; for one that cannot be read, its path and why. Those stay where they are."""
        for path in sorted(self._records.iterdir()):
            if path.suffix != ".json":
                path.unlink(missing_ok=True)
                continue
            try:
                yield msgspec.json.decode(path.read_bytes(), type=JobRecord)
            except (msgspec.DecodeError, OSError) as error:
                yield path, str(error)

    def directory_name(self, job_id: str, now_unix_nano: int) -> str:
        """A free name for a new job's directory; numbered where somebody has put one there."""
        stamp = datetime.fromtimestamp(now_unix_nano / 1e9, UTC).strftime("%Y%m%d_%H%M%S")
        name, number = f"{stamp}_{job_id}", 2
        while (self._artifacts / name).exists():
            name, number = f"{stamp}_{job_id}_{number}", number + 1
        return name

    # --- places ----------------------------------------------------------------------------------

    def job_directory(self, record: JobRecord) -> Path:
        """Where the artifacts lie."""
        return self._artifacts / record.directory

    def spool_path(self, record: JobRecord) -> Path:
        """The video track."""
        return self._spools / record.job_id / VIDEO_FILE_NAME

    def make_directories(self, record: JobRecord) -> None:
        """Makes what the job needs and has not yet; removes what interrupted attempts left."""
        self.spool_path(record).parent.mkdir(exist_ok=True)
        partial = self.job_directory(record) / PARTIAL
        partial.mkdir(parents=True, exist_ok=True)

    def begin_spool(self, record: JobRecord) -> Spool:
        """Opens the file for a new job's frames. Raises OSError."""
        return Spool(self.spool_path(record), is_new=True)

    def pictures_directory(self, record: JobRecord) -> Path:
        """Where the images of overlays lie, each under its SHA-256."""
        return self.spool_path(record).parent / PICTURES

    def keep_pictures(self, record: JobRecord, pictures: Mapping[str, bytes]) -> None:
        """Puts images, by SHA-256, beside the frames; those that are there stay. Raises OSError."""
        directory = self.pictures_directory(record)
        for name, data in pictures.items():
            directory.mkdir(parents=True, exist_ok=True)
            if not (directory / name).exists():
                self._write(directory / name, data)

    def attempt_directory(self, record: JobRecord, output: str, attempt: int) -> Path:
        """Where an attempt's files lie until they are published."""
        return self.job_directory(record) / PARTIAL / f"{output}.{attempt}"

    def begin_attempt(self, record: JobRecord, output: str, attempt: int) -> Path:
        """Returns an empty directory for an attempt. Raises OSError."""
        directory = self.attempt_directory(record, output, attempt)
        _remove_tree(directory)
        directory.mkdir(parents=True)
        return directory

    def drop_attempt(self, record: JobRecord, output: str, attempt: int) -> None:
        """Removes what an attempt left; idempotent."""
        _remove_tree(self.attempt_directory(record, output, attempt))

    # --- publishing ------------------------------------------------------------------------------

    def sync_attempt(self, record: JobRecord, output: str, attempt: int) -> None:
        """Where asked for, flushes an attempt's files before they become evidence. Raises OSError."""
        if self._is_synced:
            for path in self.attempt_directory(record, output, attempt).rglob("*"):
                _sync(path)

    def publish(self, record: JobRecord, output: str, attempt: int, files: tuple[ProducedFile, ...]) -> None:
        """Renames an attempt's files into the job directory; goes on where a dying process stopped.

        Raises MissingFileError (encode again) and OSError.
        """
        source, target = self.attempt_directory(record, output, attempt), self.job_directory(record)
        for file in files:
            part, place = source / checked_path(file.path), target / checked_path(file.path)
            if part.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                part.replace(place)
                faults.reach("artifact_renamed")
            elif not place.exists() or place.stat().st_size != file.size_bytes:
                raise MissingFileError(file.path)
        if self._is_synced:
            for directory in {(target / file.path).parent for file in files} | {target}:
                _sync(directory)
        _remove_tree(source)

    def write_manifest(self, record: JobRecord, manifest: bytes) -> None:
        """Puts the manifest in place, last and at once. Raises OSError."""
        path = self.job_directory(record) / FILE_NAME
        self._write(path, manifest, before_rename="manifest_written")
        faults.reach("manifest_renamed")

    def has_manifest(self, record: JobRecord) -> bool:
        """Whether the job's end was written in full."""
        return (self.job_directory(record) / FILE_NAME).exists()

    def read_manifest(self, record: JobRecord) -> bytes:
        """The manifest as it was written. Raises OSError."""
        return (self.job_directory(record) / FILE_NAME).read_bytes()

    # --- removing --------------------------------------------------------------------------------

    def clear_partial(self, record: JobRecord) -> None:
        """Removes the files of all attempts; idempotent."""
        _remove_tree(self.job_directory(record) / PARTIAL)

    def remove_spool(self, record: JobRecord) -> None:
        """Frees the frames; idempotent."""
        _remove_tree(self.spool_path(record).parent)

    def delete(self, record: JobRecord) -> None:
        """Removes a job and all that it made; goes on where a dying process stopped."""
        directory = self.job_directory(record)
        hidden = self._artifacts / f"{_DELETED_PREFIX}{record.directory}"
        _remove_tree(hidden)
        if directory.exists():
            directory.rename(hidden)
        (self._records / f"{record.job_id}.json").unlink(missing_ok=True)
        self.remove_spool(record)
        _remove_tree(hidden)

    def remove_strays(self, records: Iterable[JobRecord]) -> list[str]:
        """Removes what no record knows and no manifest vouches for; returns the names.

        A job that is being created or deleted counts as known. Raises OSError.
        """
        records = list(records)
        spools = {record.job_id for record in records}
        directories = {record.directory for record in records}
        strays = [path for path in self._spools.iterdir() if path.name not in spools]
        strays += [
            path
            for path in self._artifacts.iterdir()
            if path.name.removeprefix(_DELETED_PREFIX) not in directories
            and (path.name.startswith(_DELETED_PREFIX) or not (path / FILE_NAME).exists())
        ]
        for path in strays:
            _remove_tree(path)
        return [path.name for path in strays]

    # --- inside ----------------------------------------------------------------------------------

    def _write(self, path: Path, data: bytes, before_rename: str = "") -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                if self._is_synced:
                    file.flush()
                    os.fsync(file.fileno())
            if before_rename:
                faults.reach(before_rename)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if self._is_synced:
            _sync(path.parent)


def checked_path(path: str) -> str:
    """Returns a file's path below its directory. Raises UnsafePathError when it could lie elsewhere."""
    pure = PurePosixPath(path)
    parts = pure.parts
    if not parts or pure.is_absolute() or ".." in parts or parts[0] in _RESERVED or "\0" in path:
        raise UnsafePathError(f"{path!r} is not a path below the job directory")
    return str(pure)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_tree(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.exists():
        shutil.rmtree(path)
