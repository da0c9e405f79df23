"""Keeps records, job directories and artifacts on one disk so that a kill at any instant is safe.

    data_dir/
      .telecine-data                        the marker: without it nothing here is ours
      lock                                  held, as the directory itself is, by the one service
      tenants/<tenant>/                     jobs, spool and artifacts of a tenant other than the root one
      jobs/<job_id>.json                    the record: replaced whole, never edited
      spool/<job_id>/video.raw              frames; gone once the job has ended
      spool/<job_id>/video.crc32c           checksums of their pieces
      spool/<job_id>/audio.raw, .crc32c     the same of the sound, if the job has any
      spool/<job_id>/pictures/<sha256>      images of overlays; go with the frames
      artifacts/<YYYYMMDD_HHMMSS>_<job_id>/ manifest.json, stage.log, the artifacts
        .partial/<output>.<attempt>/        files of an attempt that nobody may read yet

Order of an output's end: the worker verifies its files in `.partial` -> the record holds the evidence ->
the files are renamed into place. Order of a job's end: the record holds the end -> manifest -> spool removed.
Order of a deletion: the directory is hidden -> all is removed -> the record is removed. So frames or
artifacts without a record are never leftovers but what damage has left; they stay. No link is followed.
Every method blocks; those about one job must not run at the same time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec
from telecine.durable_files import sync_directory, temporary_path, write_whole

from encoder_service import data_layout as layout
from encoder_service import failpoints
from encoder_service.data_layout import AUDIO_FILE_NAME, DELETED_PREFIX, PARTIAL, PICTURES, VIDEO_FILE_NAME
from encoder_service.evidence.facts import ProducedFile
from encoder_service.evidence.manifest import FILE_NAME, STAGE_LOG_NAME
from encoder_service.spool.spool import Spool
from encoder_service.store.damage import Damaged, DamageReason
from encoder_service.store.record import JobRecord
from encoder_service.store.record_file import DamagedRecordError, decode_record, encode_record
from encoder_service.store.rooms import DataDirectoryError, Room, Rooms, make_room
from service_host.auth.principal import DEFAULT_TENANT
from service_host.disk.data_directory import (
    LOCK,
    DataDirectory,
    is_lock,
    is_plain_directory,
    is_plain_file,
    open_data_directory,
)
from service_host.disk.plain_files import (
    is_plain_path,
    read_plain,
    remove_tree,
    sync_plain,
)
from service_host.errors import StartError

_RESERVED = {FILE_NAME, STAGE_LOG_NAME, PARTIAL, temporary_path(Path(FILE_NAME)).name}
_NAME_BYTES = 255
"""Longest name of a file on common disks."""
_MISPLACED = frozenset({errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENAMETOOLONG})
"""What trying again does not change: something else has the name."""


class UnsafePathError(Exception):
    """A worker named a file that does not lie in its own directory."""


class MissingFileError(Exception):
    """A file that the evidence names is neither in place nor in `.partial`."""


class TrackSpools(msgspec.Struct, frozen=True):
    """The files that a job's tracks are received into."""

    video: Spool
    audio: Spool | None


class Store:
    """The data directory of one service."""

    def __init__(self, root: Path, *, is_synced: bool = False, root_tenant: str = DEFAULT_TENANT) -> None:
        """`root_tenant`: whose jobs lie in the data directory itself."""
        self.root = root
        """The data directory."""
        self.rooms = Rooms(root, root_tenant)
        self._is_synced = is_synced
        self._directory: DataDirectory | None = None

    # --- opening ---------------------------------------------------------------------------------

    def claim(self) -> None:
        """Makes sure that the directory is ours alone; idempotent. Raises DataDirectoryError."""
        if self._directory is None:
            try:
                self._directory = open_data_directory(self.root, "encoder", _is_former)
            except StartError as error:
                raise DataDirectoryError(str(error)) from error

    def open(self) -> None:
        """Claims the directory and makes the ones in it. Raises DataDirectoryError."""
        self.claim()
        try:
            self.rooms.found()
            make_room(self.root / layout.WEBHOOKS)
            layout.remove_old_reserve(self.root)
        except OSError as error:
            self.close()
            raise DataDirectoryError(f"data_dir {self.root} cannot be used: {error}") from error
        except DataDirectoryError:
            self.close()
            raise

    def is_there(self) -> bool:
        """Whether the data directory is still where it was: nobody moved or removed it. Blocks."""
        if self._directory is None or not self._directory.is_there():
            return False
        return all(map(is_plain_directory, self.rooms.of(self.rooms.root_tenant).places))

    def close(self) -> None:
        """Gives the lock back; idempotent."""
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    # --- records ---------------------------------------------------------------------------------

    def save(self, record: JobRecord) -> None:
        """Replaces the job's record, whole or not at all. Raises OSError."""
        self._write(self._record_path(record), encode_record(record))

    def load(self) -> Iterator[JobRecord | Damaged]:
        """Reads every record; what cannot be understood stays where it is.

        Raises OSError, and DataDirectoryError where the root tenant is another than it was.
        """
        for path in self.rooms.strangers():
            yield Damaged("", path, DamageReason.FOREIGN, "this is no tenant's name; it is left alone")
        for room in self.rooms.found():
            yield from self._load_room(room)

    def _load_room(self, room: Room) -> Iterator[JobRecord | Damaged]:
        for path in sorted(room.records.iterdir()):
            job_id = layout.job_of_record(path.name)
            if layout.is_record_leftover(path.name) and is_plain_file(path):
                path.unlink(missing_ok=True)
            elif not job_id:
                why = "this is no record's name; it is left alone"
                yield Damaged("", path, DamageReason.FOREIGN, why, tenant=room.tenant)
            else:
                try:
                    yield self._owned(decode_record(read_plain(path), job_id), room)
                except (DamagedRecordError, OSError) as error:
                    why = f"the record cannot be read: {error}"
                    yield _damaged(room, job_id, path, DamageReason.RECORD_UNREADABLE, why)

    def _owned(self, record: JobRecord, room: Room) -> JobRecord:
        """The record as its room's tenant's. Raises DamagedRecordError, DataDirectoryError."""
        if record.tenant == room.tenant:
            return record
        if room.tenant != self.rooms.root_tenant:
            raise DamagedRecordError(f"it is a record of tenant {record.tenant[:140]!r}")
        if record.tenant != DEFAULT_TENANT:
            raise DataDirectoryError(
                f"{self.root} itself holds jobs of tenant {record.tenant!r} and not of {room.tenant!r}: "
                "set root_tenant to what it was"
            )
        return msgspec.structs.replace(record, tenant=room.tenant)

    def directory_name(self, job_id: str, now_unix_nano: int, tenant: str = DEFAULT_TENANT) -> str:
        """A free name for a new job's directory; numbered where somebody has put one there.

        Makes the room of a tenant that has none yet. Raises OSError.
        """
        artifacts = self.rooms.open(tenant).artifacts
        stamp = datetime.fromtimestamp(now_unix_nano / 1e9, UTC).strftime("%Y%m%d_%H%M%S")
        name, number = f"{stamp}_{job_id}", 2
        while os.path.lexists(artifacts / name):
            name, number = f"{stamp}_{job_id}_{number}", number + 1
        return name

    # --- places ----------------------------------------------------------------------------------

    def job_directory(self, record: JobRecord) -> Path:
        """Where the artifacts lie."""
        return self.rooms.of(record.tenant).artifacts / record.directory

    def spool_name(self, record: JobRecord) -> str:
        """Where the job's frames lie below the data directory: clients may know that much."""
        return self.spool_path(record).relative_to(self.root).as_posix()

    def spool_path(self, record: JobRecord) -> Path:
        """The video track."""
        return self.rooms.of(record.tenant).spools / record.job_id / VIDEO_FILE_NAME

    def audio_path(self, record: JobRecord) -> Path:
        """The audio track; only of a job that has declared one."""
        return self.spool_path(record).parent / AUDIO_FILE_NAME

    def audio_name(self, record: JobRecord) -> str:
        """Where the job's sound lies below the data directory."""
        return self.audio_path(record).relative_to(self.root).as_posix()

    def make_directories(self, record: JobRecord) -> None:
        """Makes what the job needs and has not yet; removes what interrupted attempts left."""
        # Never the parents: a data directory that is gone must not come back empty.
        self.spool_path(record).parent.mkdir(exist_ok=True)
        self.job_directory(record).mkdir(exist_ok=True)
        (self.job_directory(record) / PARTIAL).mkdir(exist_ok=True)

    def begin_spools(self, record: JobRecord) -> TrackSpools:
        """Opens the files for a new job's frames and sound. Raises OSError."""
        return TrackSpools(
            Spool(self.spool_path(record), is_new=True),
            Spool(self.audio_path(record), is_new=True) if record.spec.audio is not None else None,
        )

    def has_spool(self, record: JobRecord) -> bool:
        """Whether the frames, or what is left of them, have not been removed yet."""
        return os.path.lexists(self.spool_path(record).parent)

    def has_frames(self, record: JobRecord) -> bool:
        """Whether the upload is complete, or any byte of it is there, or what is there is no plain file."""
        return record.is_complete or any(
            os.path.lexists(path) and not (is_plain_file(path) and path.stat().st_size == 0)
            for path in (self.spool_path(record), self.audio_path(record))
        )

    def reopen_spools(self, record: JobRecord) -> TrackSpools:
        """Opens what a former process took; empty where it died before anything came. Raises OSError."""
        path, sound = self.spool_path(record), self.audio_path(record)
        layout.forget_old_mark(path, record.total_frames * record.spec.video.frame_bytes)
        return TrackSpools(
            Spool(path, is_new=not os.path.lexists(path)),
            Spool(sound, is_new=not os.path.lexists(sound)) if record.spec.audio is not None else None,
        )

    def pictures_directory(self, record: JobRecord) -> Path:
        """Where the images of overlays lie, each under its SHA-256."""
        return self.spool_path(record).parent / PICTURES

    def keep_pictures(self, record: JobRecord, pictures: Mapping[str, bytes]) -> None:
        """Puts images, by SHA-256, beside the frames; those that are there stay. Raises OSError."""
        directory = self.pictures_directory(record)
        for name, data in pictures.items():
            directory.mkdir(exist_ok=True)
            if not is_plain_file(directory / name):
                self._write(directory / name, data)

    def attempt_directory(self, record: JobRecord, output: str, attempt: int) -> Path:
        """Where an attempt's files lie until they are published."""
        return self.job_directory(record) / PARTIAL / f"{output}.{attempt}"

    def begin_attempt(self, record: JobRecord, output: str, attempt: int) -> Path:
        """Returns an empty directory for an attempt. Raises OSError."""
        directory = self.attempt_directory(record, output, attempt)
        remove_tree(directory)
        directory.mkdir(parents=True)
        return directory

    def drop_attempt(self, record: JobRecord, output: str, attempt: int) -> None:
        """Removes what an attempt left; idempotent."""
        remove_tree(self.attempt_directory(record, output, attempt))

    # --- publishing ------------------------------------------------------------------------------

    def sync_attempt(self, record: JobRecord, output: str, attempt: int) -> None:
        """Where asked for, flushes an attempt's files before they become evidence. Raises OSError."""
        if self._is_synced:
            for path in self.attempt_directory(record, output, attempt).rglob("*"):
                if not path.is_symlink():
                    sync_plain(path)

    def publish(self, record: JobRecord, output: str, attempt: int, files: tuple[ProducedFile, ...]) -> None:
        """Renames an attempt's files into the job directory; goes on where a dying process stopped.

        Raises MissingFileError (encode again) and OSError.
        """
        source, target = self.attempt_directory(record, output, attempt), self.job_directory(record)
        for file in files:
            part, place = source / checked_path(file.path), target / checked_path(file.path)
            if _has(source, file):
                _put(part, place, target, file.path)
                failpoints.reach("artifact_renamed")
            elif not _has(target, file):
                raise MissingFileError(file.path)
        if self._is_synced:
            for directory in {(target / file.path).parent for file in files} | {target}:
                sync_directory(directory)
        remove_tree(source)

    def write_manifest(self, record: JobRecord, manifest: bytes) -> None:
        """Puts the manifest in place, last and at once. Raises OSError."""
        path = self.job_directory(record) / FILE_NAME
        self._write(path, manifest, fault="manifest_written")
        failpoints.reach("manifest_renamed")

    def has_manifest(self, record: JobRecord) -> bool:
        """Whether the job's end was written in full."""
        return is_plain_file(self.job_directory(record) / FILE_NAME)

    def read_manifest(self, record: JobRecord) -> bytes:
        """The manifest as it was written. Raises OSError."""
        return read_plain(self.job_directory(record) / FILE_NAME)

    # --- removing --------------------------------------------------------------------------------

    def clear_partial(self, record: JobRecord) -> None:
        """Removes the files of all attempts; idempotent."""
        remove_tree(self.job_directory(record) / PARTIAL)

    def remove_spool(self, record: JobRecord) -> None:
        """Frees the frames; idempotent."""
        remove_tree(self.spool_path(record).parent)

    def delete(self, record: JobRecord) -> None:
        """Removes a job and all that it made; goes on where a dying process stopped. Raises OSError."""
        directory = self.job_directory(record)
        hidden = directory.with_name(f"{DELETED_PREFIX}{record.directory}")
        remove_tree(hidden)
        if os.path.lexists(directory):
            directory.rename(hidden)
        self.remove_spool(record)
        remove_tree(hidden)
        self._record_path(record).unlink(missing_ok=True)

    def remove_strays(self, records: Iterable[JobRecord]) -> list[str]:
        """Removes what interrupted creations and deletions left; returns the names. Raises OSError.

        A job that is being created or deleted counts as known.
        """
        records = list(records)
        strays: list[Path] = []
        for room in self.rooms.found():
            known, directories = _known(records, room)
            strays += [
                path
                for path in room.spools.iterdir()
                if path.name not in known and layout.is_spool_of_nothing(path)
            ]
            strays += [
                path
                for path in room.artifacts.iterdir()
                if layout.is_deleted_directory(path.name)
                and path.name.removeprefix(DELETED_PREFIX) not in directories
            ]
        for path in strays:
            remove_tree(path)
        return [path.name for path in strays]

    def find_unknown(self, records: Iterable[JobRecord]) -> Iterator[Damaged]:
        """Reports what lies beside the jobs and belongs to none of them: it is never removed. Raises OSError.

        Artifacts with a manifest need no record and are no fault.
        """
        records = list(records)
        for room in self.rooms.found():
            known, directories = _known(records, room)
            for path in room.spools.iterdir():
                if path.name not in known:
                    job_id = path.name if layout.is_job_id(path.name) else ""
                    reason = DamageReason.RECORD_MISSING if job_id else DamageReason.FOREIGN
                    why = "there is no record of the job of these frames"
                    size_bytes = layout.size_of_spool(path)
                    yield Damaged(job_id, path, reason, why, path, size_bytes, room.tenant)
            for path in room.artifacts.iterdir():
                name, is_hidden = path.name, path.name.startswith(".")
                if name not in directories and not is_hidden and not is_plain_file(path / FILE_NAME):
                    why = "no record and no manifest says what this is"
                    yield Damaged("", path, DamageReason.RECORD_MISSING, why, tenant=room.tenant)

    def not_recovered(self, record: JobRecord, error: Exception) -> Damaged:
        """What to note of a job that cannot be taken up, although its record can be read."""
        why = f"{type(error).__name__}: {error}"
        room = self.rooms.of(record.tenant)
        return _damaged(room, record.job_id, self._record_path(record), DamageReason.NOT_RECOVERED, why)

    # --- inside ----------------------------------------------------------------------------------

    def _record_path(self, record: JobRecord) -> Path:
        return self.rooms.of(record.tenant).records / f"{record.job_id}.json"

    def _write(self, path: Path, data: bytes, fault: str = "") -> None:
        reach = partial(failpoints.reach, fault) if fault else None
        write_whole(path, data, is_synced=self._is_synced, before_rename=reach)


def _damaged(room: Room, job_id: str, path: Path, reason: DamageReason, why: str) -> Damaged:
    frames = room.spools / job_id
    return Damaged(job_id, path, reason, why, frames, layout.size_of_spool(frames), room.tenant)


def _known(records: Iterable[JobRecord], room: Room) -> tuple[set[str], set[str]]:
    """Ids and directories of a tenant's jobs."""
    own = [record for record in records if record.tenant == room.tenant]
    return {record.job_id for record in own}, {record.directory for record in own}


def checked_path(path: str) -> str:
    """Returns a file's path below its directory. Raises UnsafePathError when it could lie elsewhere."""
    pure = PurePosixPath(path)
    parts = pure.parts
    is_inside = parts and not pure.is_absolute() and ".." not in parts and parts[0] not in _RESERVED
    if not is_inside or not path.isprintable() or any(len(part.encode()) > _NAME_BYTES for part in parts):
        raise UnsafePathError(f"{path[:_NAME_BYTES]!r} is not a path below the job directory")
    return str(pure)


def _put(part: Path, place: Path, target: Path, path: str) -> None:
    """Renames one file. Raises MissingFileError where it can never have its place, and OSError."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not is_plain_path(target, path):
            raise MissingFileError(path)
        part.replace(place)
    except OSError as error:
        if error.errno in _MISPLACED:
            raise MissingFileError(path) from error
        raise


def _has(directory: Path, file: ProducedFile) -> bool:
    path = directory / file.path
    is_there = is_plain_path(directory, file.path) and is_plain_file(path)
    return is_there and path.stat().st_size == file.size_bytes


def _is_former(root: Path) -> bool:
    """Whether an encoder without a marker made the directory: a record of it can be read, or all is empty."""
    records = root / layout.RECORDS
    if is_lock(root / LOCK) and is_plain_directory(records):
        for path in records.iterdir():
            try:
                decode_record(read_plain(path), layout.job_of_record(path.name))
            except (DamagedRecordError, OSError):
                continue
            return True
    return layout.is_untouched(root)
