"""A job's directory: which stages it has, their numbers, and the lock under which they start.

<job>/.stages              names and numbers ever given, one line each; also the lock
<job>/01_demux/            manifest.json, stage.log, .lock, and what the stage makes
<job>/logs/99_pipeline_<YYYYMMDD_HHMMSS>.log
"""

from __future__ import annotations

import fcntl
import operator
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

from telecine.stages.errors import JobDirectoryBusyError, StageUsageError
from telecine.stages.manifest import FILE_NAME, STAGE_LOG_NAME

REGISTRY_NAME = ".stages"
LOCK_NAME = ".lock"
LOG_DIRECTORY = "logs"
_PIPELINE_LOGS = "99_pipeline_*.log"
_DIRECTORY = re.compile(r"(\d{2,6})_(.+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MAX_NUMBER = 999_999
_WAIT_SECONDS = 0.01


class StageDirectory(msgspec.Struct, frozen=True):
    """Where a stage works."""

    number: int
    name: str
    path: Path


def check_name(name: str) -> str:
    """Returns a stage's name. Raises StageUsageError for one that cannot be part of a directory's."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StageUsageError(
            f"a stage cannot be called {name!r}: letters, digits, '_', '.' and '-' are allowed, 64 at most"
        )
    return name


def check_number(number: int | None) -> int | None:
    """Returns a stage's number. Raises StageUsageError for what is no whole number; its range comes later."""
    if number is None:
        return None
    try:
        return operator.index(number)
    except TypeError:
        raise StageUsageError(f"the number of a stage is {number!r}; expected a whole number") from None


def list_stages(job_dir: Path) -> tuple[StageDirectory, ...]:
    """The numbered directories, by number. Raises OSError."""
    found = []
    for path in job_dir.iterdir():
        match = _DIRECTORY.fullmatch(path.name)
        if match and path.is_dir():
            found.append(StageDirectory(int(match[1]), match[2], path))
    return tuple(sorted(found, key=lambda stage: (stage.number, stage.name)))


def choose_number(
    name: str, wanted: int | None, there: tuple[StageDirectory, ...], given: dict[str, int]
) -> int:
    """The number of a stage: the one it has, or has had, or asks for, or else the next.

    Raises:
        StageUsageError: `wanted` is not its number, or another stage's.
    """
    known = next((stage.number for stage in there if stage.name == name), given.get(name))
    taken = {stage.number: stage.name for stage in there if stage.name != name}
    taken = {number: other for other, number in given.items() if other != name} | taken
    if known is not None and known not in taken and wanted in (None, known):
        return known
    if wanted is None:
        return max(taken, default=0) + 1
    if known is not None and wanted != known:
        raise StageUsageError(f"stage {name} has number {known} in this job, not {wanted}")
    if wanted in taken or not 1 <= wanted <= _MAX_NUMBER:
        reason = f"stage {taken[wanted]} has it" if wanted in taken else f"1 to {_MAX_NUMBER} are possible"
        raise StageUsageError(f"stage {name} cannot have number {wanted}: {reason}")
    return wanted


def claim_directory(job_dir: Path, lock: int, name: str, wanted: int | None) -> StageDirectory:
    """Gives a stage its number for good, and makes its directory; the caller holds the job's lock."""
    given = _numbers_given(lock)
    number = choose_number(name, wanted, list_stages(job_dir), given)
    if given.get(name) != number:
        os.write(lock, f"{_end_of_cut_line(lock)}{number} {name}\n".encode())
    directory = StageDirectory(number, name, job_dir / f"{number:02d}_{name}")
    directory.path.mkdir(exist_ok=True)
    return directory


@contextmanager
def job_lock(job_dir: Path, timeout_seconds: float) -> Iterator[int]:
    """Holds the job's lock, and yields the open registry. Raises JobDirectoryBusyError, OSError."""
    job_dir.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(job_dir / REGISTRY_NAME, flags, 0o640)
    try:
        if not take_lock(descriptor, timeout_seconds):
            raise JobDirectoryBusyError(f"the lock of {job_dir} was not free for {timeout_seconds:g} seconds")
        yield descriptor
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, timeout_seconds: float) -> bool:
    """Locks an open file for this process alone; False when it was not free in time."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_WAIT_SECONDS)
        else:
            return True


def pipeline_log(job_dir: Path) -> Path | None:
    """The newest log of the pipeline; None before the first."""
    return max((job_dir / LOG_DIRECTORY).glob(_PIPELINE_LOGS), default=None)


def begin_pipeline_log(job_dir: Path, now: datetime) -> Path:
    """Makes a new log of the pipeline: from now on it is the newest."""
    path = job_dir / LOG_DIRECTORY / f"99_pipeline_{now:%Y%m%d_%H%M%S}.log"
    path.parent.mkdir(exist_ok=True)
    path.touch(exist_ok=True)
    return path


def written_path(path: Path, job_dir: Path) -> str:
    """A path as manifests write it: below the job directory, or else absolute.

    Raises:
        StageUsageError: its name is not UTF-8, and could not be read back.
    """
    path = absolute(path)
    text = path.relative_to(job_dir).as_posix() if path.is_relative_to(job_dir) else path.as_posix()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise StageUsageError(f"{path!r} cannot be tracked: its name is not UTF-8") from error
    return text


def absolute(path: Path) -> Path:
    """An absolute path without "..": what links mean is left as it is."""
    return Path(os.path.normpath(path.expanduser().absolute()))


def path_below(directory: Path, name: str | Path) -> Path:
    """A path below a directory. Raises StageUsageError for a name that leads out of it."""
    path = absolute(directory / name)
    if directory not in path.parents:
        raise StageUsageError(f"{str(name)!r} does not lie below {directory}")
    return path


def stage_of_path(written: str) -> str | None:
    """The stage in whose directory a written path lies; None: in none."""
    pure = PurePosixPath(written)
    if pure.is_absolute() or len(pure.parts) < 2:
        return None
    match = _DIRECTORY.fullmatch(pure.parts[0])
    return match[2] if match else None


def is_own_file(name: str) -> bool:
    """Whether a file of this name in a stage's directory is Telecine's, which no manifest lists."""
    is_fixed = name in (FILE_NAME, LOCK_NAME, STAGE_LOG_NAME)
    return is_fixed or name.startswith((f".{FILE_NAME}.", f"{STAGE_LOG_NAME}."))


def _end_of_cut_line(registry: int) -> str:
    """What makes a line that a kill cut off one that is passed over; empty where none was."""
    size = os.fstat(registry).st_size
    return " (cut off)\n" if size and os.pread(registry, 1, size - 1) != b"\n" else ""


def _numbers_given(lock: int) -> dict[str, int]:
    size = os.fstat(lock).st_size
    given: dict[str, int] = {}
    for line in os.pread(lock, size, 0).decode("utf-8", "replace").split("\n")[:-1]:
        number, _, name = line.partition(" ")
        if number.isdecimal() and _NAME.fullmatch(name):
            given[name] = int(number)
    return given
