"""Which names in the data directory are the service's: nothing that bears another name is ever removed.

Also how a directory of version 0.1.0, which wrote no marker, is recognised.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from service_host.disk.data_directory import (
    LOCK,
    MARKER,
    foreign_names,
    is_lock,
    is_plain_directory,
    is_plain_file,
)

RECORDS = "jobs"
SPOOLS = "spool"
ARTIFACTS = "artifacts"
WEBHOOKS = "webhooks"
TENANTS = "tenants"
"""Rooms of tenants other than the one whose jobs lie in the data directory itself."""
OWN_NAMES = frozenset({"encoder.log", "logs", "log-spool"})
"""What may lie in a new data directory: the logs of the service and of who starts it."""
PARTIAL = ".partial"
PICTURES = "pictures"
DELETED_PREFIX = ".deleted-"
VIDEO_FILE_NAME = "video.raw"
AUDIO_FILE_NAME = "audio.raw"

_OLD_RESERVE = "spool-reserve"
_OLD_MARK = "video.persisted"
_KNOWN_ROOMS = {RECORDS, SPOOLS, ARTIFACTS, WEBHOOKS, TENANTS, _OLD_RESERVE}
_JOB_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_JOB_ID_ONLY = re.compile(_JOB_ID)
_RECORD = re.compile(rf"({_JOB_ID})\.json")
_RECORD_LEFTOVER = re.compile(rf"\.{_JOB_ID}\.json\.tmp")
_DIRECTORY = re.compile(rf"\d{{8}}_\d{{6}}_({_JOB_ID})")
_PICTURE = re.compile(r"\.?[0-9a-f]{64}(\.tmp)?")
_OLD_RESERVED = re.compile(r"\d+\.raw")


def checksums_path(track: Path) -> Path:
    """Where the checksums of a track's pieces lie."""
    return track.with_suffix(".crc32c")


def is_job_id(text: str) -> bool:
    """Whether a job can be called so."""
    return _JOB_ID_ONLY.fullmatch(text) is not None


def job_of_record(name: str) -> str:
    """The job whose record has this file name; empty where it is no record's."""
    match = _RECORD.fullmatch(name)
    return match[1] if match else ""


def is_record_leftover(name: str) -> bool:
    """Whether a death while a record was written left this."""
    return _RECORD_LEFTOVER.fullmatch(name) is not None


def is_job_directory(name: str) -> bool:
    """Whether a job's artifacts can lie under this name."""
    return _DIRECTORY.fullmatch(name) is not None


def is_directory_of(name: str, job_id: str) -> bool:
    """Whether the artifacts of this job can lie under this name, which may carry a number at its end."""
    match = _DIRECTORY.fullmatch(name)
    if match is None or not match[1].startswith(job_id):
        return False
    return re.fullmatch(r"(_\d+)?", match[1].removeprefix(job_id)) is not None


def is_deleted_directory(name: str) -> bool:
    """Whether it is a job directory whose removal has begun."""
    return name.startswith(DELETED_PREFIX) and is_job_directory(name.removeprefix(DELETED_PREFIX))


def is_spool_of_nothing(path: Path) -> bool:
    """Whether a job's spool holds no frames and nothing of others: its creation was cut short."""
    if not is_plain_directory(path) or not is_job_id(path.name):
        return False
    return all(
        entry.name == PICTURES and is_plain_directory(entry) and all(map(_is_picture, entry.iterdir()))
        for entry in path.iterdir()
    )


def size_of_spool(path: Path) -> int:
    """Bytes of the plain files in a spool's directory; 0 where there is none. Never raises OSError."""
    try:
        return sum(entry.stat().st_size for entry in path.iterdir() if is_plain_file(entry))
    except OSError:
        return 0


def remove_old_reserve(root: Path) -> None:
    """Removes the spools that 0.1.0 kept to write over, and nothing else. Raises OSError."""
    directory = root / _OLD_RESERVE
    if not is_plain_directory(directory):
        return
    for path in directory.iterdir():
        if _OLD_RESERVED.fullmatch(path.name) and is_plain_file(path):
            path.unlink()
    if not any(directory.iterdir()):
        directory.rmdir()


def is_untouched(root: Path) -> bool:
    """Whether the directory holds nothing but logs, sockets and empty directories of our names."""
    return all(_is_harmless(root / name) for name in foreign_names(root))


def forget_old_mark(spool_path: Path, total_bytes: int) -> None:
    """Removes what 0.1.0 noted beside a spool that had been another job's before. Raises OSError.

    The note cannot be believed: one flipped bit of it put another client's frames into a film. Frames count
    where the upload was complete and the file has its length; those of a half upload are sent again.
    0.1.0 leaves no note when it ends in order.
    """
    mark = spool_path.with_name(_OLD_MARK)
    if not os.path.lexists(mark):
        return
    if is_plain_file(spool_path) and spool_path.stat().st_size != total_bytes:
        os.truncate(spool_path, 0)
    mark.unlink()


def _is_harmless(path: Path) -> bool:
    if path.name in OWN_NAMES | {MARKER} or path.is_socket():
        return True
    if path.name == LOCK:
        return is_lock(path)
    return path.name in _KNOWN_ROOMS and is_plain_directory(path) and not any(path.iterdir())


def _is_picture(path: Path) -> bool:
    return _PICTURE.fullmatch(path.name) is not None and is_plain_file(path)
