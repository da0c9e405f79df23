"""A data directory that belongs to one service: its marker, its locks, and whether it is still there."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from telecine.durable_files import sync_directory

from service_host.errors import StartError

MARKER: Final = ".telecine-data"
"""Made with the directory, before anything else; one with other contents and without it is refused."""
LOCK: Final = "lock"
"""A directory, whose file is locked. Release 0.1.0 locks a file of this name, and knows no marker: where it
finds a directory it ends with an error, instead of going on with records that it cannot read."""
_HELD: Final = "held"
_FORMAT: Final = 1
_OF_THE_DISK: Final = frozenset({"lost+found", ".snapshot", ".snapshots"})
"""What a file system itself puts into its top directory."""
_OPENING: Final = os.O_CLOEXEC | os.O_NOFOLLOW
_OTHERS: Final = 0o007


class Marker(msgspec.Struct, frozen=True):
    """What the marker file says."""

    kind: str
    """Which service made the directory, such as "collector"."""
    format: int = _FORMAT
    """Of the directory; one that is newer than this program is refused."""


class DataDirectory:
    """A directory that this process alone may write to. Owns its locks; `close` is idempotent."""

    def __init__(self, path: Path, descriptor: int, lock: int) -> None:
        """Takes over both descriptors; use `open_data_directory`."""
        self.path = path
        self._descriptor = descriptor
        self._lock = lock
        self._device, self._inode = _identity(os.fstat(descriptor))

    def is_there(self) -> bool:
        """Whether the path still names the directory that was opened, marker included. Blocks on the disk."""
        try:
            if _identity(self.path.stat()) != (self._device, self._inode):
                return False
            return stat.S_ISREG(os.lstat(self.path / MARKER).st_mode)
        except OSError as error:
            # Whatever else the disk says, such as EIO or EMFILE, does not mean that the directory is gone.
            return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)

    def close(self) -> None:
        """Lets another process have the directory."""
        for descriptor in (self._lock, self._descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock = self._descriptor = -1


def open_data_directory(path: Path, kind: str, is_former: Callable[[Path], bool]) -> DataDirectory:
    """Makes or takes over the directory and locks it.

    `is_former` recognises a directory that release 0.1.0 of the service made, which had no marker: such a
    directory gets one. Anything else that is not empty stays as it is.

    Raises:
        StartError: it is of somebody else, in use, or cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StartError(f"data_dir {path} cannot be used: {error.strerror or error}") from error
    lock = -1
    try:
        _require_ours(path, kind, is_former)
        lock = _locked(path, descriptor, kind)
        return DataDirectory(path, descriptor, lock)
    except BaseException as error:
        for opened in (lock, descriptor):
            if opened >= 0:
                os.close(opened)
        if isinstance(error, OSError):
            raise StartError(f"data_dir {path} cannot be used: {error.strerror or error}") from error
        raise


def mark_directory(path: Path, kind: str) -> None:
    """Puts the marker into a directory, durably. Raises OSError."""
    fd = os.open(path / MARKER, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPENING, 0o600)
    try:
        os.write(fd, msgspec.json.encode(Marker(kind)) + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(path)


def require_directory(path: Path, kind: str, is_former: Callable[[Path], bool]) -> None:
    """As `open_data_directory` without a lock, for a directory beside the data directory that files go to.

    Raises OSError, or StartError where it is of somebody else.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    _require_ours(path, kind, is_former)


def foreign_names(path: Path) -> list[str]:
    """What stands in a directory beside what a file system puts there itself, sorted. Raises OSError."""
    return sorted({entry.name for entry in path.iterdir()} - _OF_THE_DISK)


def is_plain_file(path: Path) -> bool:
    """Whether there is a regular file at the path itself: a link to one is not."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def is_plain_directory(path: Path) -> bool:
    """Whether there is a directory at the path itself: a link to one is not."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _require_ours(path: Path, kind: str, is_former: Callable[[Path], bool]) -> None:
    found = _read_marker(path)
    if found is None:
        names = foreign_names(path)
        # A marker that was being written when the process died is empty.
        if set(names) - {MARKER} and not is_former(path):
            shown = ", ".join(repr(name) for name in names[:3])
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise StartError(
                f"{path} is not empty and was not made by a telecine {kind} (it has no {MARKER}):"
                f" it holds {shown}{more}. Nothing in it was touched; name an empty or a new directory"
            )
        _close_to_others(path)
        mark_directory(path, kind)
    elif found.kind != kind:
        raise StartError(
            f"{path} is that of a telecine {found.kind}; the {kind} needs a directory of its own"
        )
    elif found.format > _FORMAT:
        raise StartError(
            f"data_dir {path} was written by a newer version (format {found.format}, this one knows"
            f" {_FORMAT}); use that version"
        )


def _read_marker(path: Path) -> Marker | None:
    """None: it is missing, damaged or was cut off: then the other contents decide."""
    try:
        fd = os.open(path / MARKER, os.O_RDONLY | os.O_NONBLOCK | _OPENING)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StartError(f"{path / MARKER} is a link; the data directory's marker is a file") from error
        raise
    try:
        data = os.read(fd, 4096)
    finally:
        os.close(fd)
    try:
        return msgspec.json.decode(data, type=Marker)
    except msgspec.MsgspecError:
        return None


def is_lock(path: Path) -> bool:
    """Whether a service made this: the empty file of release 0.1.0, or the directory of later ones."""
    if is_plain_directory(path):
        return set(foreign_names(path)) <= {_HELD}
    return is_plain_file(path) and not path.stat().st_size


def _locked(path: Path, directory: int, kind: str) -> int:
    """Locks the lock's file, and the directory itself, whose lock no `rm` takes away."""
    former, lock = -1, -1
    try:
        if not is_plain_directory(path / LOCK):
            # As 0.1.0 does: while one of them runs, it holds this.
            former = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | _OPENING, 0o600)
            fcntl.flock(former, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems lock files alone.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        if former >= 0:
            (path / LOCK).unlink()
        (path / LOCK).mkdir(mode=0o700, exist_ok=True)
        lock = os.open(path / LOCK / _HELD, os.O_RDWR | os.O_CREAT | _OPENING, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if lock >= 0:
            os.close(lock)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise StartError(f"data_dir {path} cannot be locked: {error.strerror or error}") from error
        raise StartError(f"data_dir {path} is in use by another {kind}") from error
    finally:
        if former >= 0:
            os.close(former)
    return lock


def _close_to_others(path: Path) -> None:
    """Nothing below is to be read by other users; on a file system that has no modes there is no help."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
    except OSError:
        return


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
