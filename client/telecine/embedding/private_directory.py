"""A temporary directory for this user alone, which is removed even where its owner was killed.

A marker distinguishes it from everything else below /tmp; a lock on the marker, held by every process that
uses the directory, shows whether it is still in use. Nothing else is ever removed: what another user
made, a link, or a directory without a marker stays as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

PREFIX: Final = "telecine-"
MARKER: Final = ".telecine-embedded"
_MAGIC: Final = b"A temporary directory of an embedded telecine service; it goes with its processes.\n"
_OPENING: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class PrivateDirectory:
    """One such directory; the process that made it removes it."""

    def __init__(self, path: Path, lock: int) -> None:
        """Takes over the lock's descriptor; use `make`."""
        self.path = path
        self.lock = lock
        """A descriptor for the other process that uses the directory to inherit."""

    @classmethod
    def make(cls, base: Path) -> Self:
        """Makes one below `base`. Raises OSError."""
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        # Locked before it has its name: no other process may find a marker without a lock on it.
        unnamed = path / f"{MARKER}.new"
        lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPENING, 0o600)
        try:
            os.write(lock, _MAGIC)
            with contextlib.suppress(OSError):  # a file system without locks: nothing is cleaned up there
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(path / MARKER)
        except BaseException:
            os.close(lock)
            shutil.rmtree(path, ignore_errors=True)
            raise
        return cls(path, lock)

    def remove(self) -> None:
        """Removes it with all that it holds; idempotent, never raises."""
        if self.lock >= 0:
            remove_private(self.path)
            os.close(self.lock)
            self.lock = -1


def is_private(path: Path) -> bool:
    """Whether it is such a directory of this user's."""
    marker = _open_marker(path)
    if marker is not None:
        os.close(marker)
    return marker is not None


def remove_private(path: Path) -> None:
    """Removes such a directory, and nothing else that the path may name. Never raises."""
    if not is_private(path):
        return
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(path)):
            if entry.name != MARKER:
                _remove(entry)
        # The marker last: what is left half-way is found again.
        if [entry.name for entry in path.iterdir()] == [MARKER]:
            (path / MARKER).unlink()
            path.rmdir()


def remove_abandoned(bases: Iterable[Path]) -> list[Path]:
    """Removes the directories below `bases` whose processes have all ended; returns them. Never raises."""
    removed: list[Path] = []
    for base in bases:
        try:
            found = [path for path in base.iterdir() if path.name.startswith(PREFIX)]
        except OSError:
            continue
        removed += [path for path in found if _remove_if_abandoned(path)]
    return removed


def _remove_if_abandoned(path: Path) -> bool:
    marker = _open_marker(path)
    if marker is None:
        return False
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_private(path)
    except OSError:  # it is in use
        return False
    finally:
        os.close(marker)
    return True


def _open_marker(path: Path) -> int | None:
    """A descriptor of the marker; None where the directory is not such a one, or not this user's."""
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OPENING)
    except (OSError, ValueError):
        return None
    try:
        if not _is_ours_alone(os.fstat(directory)):
            return None
        marker = os.open(MARKER, os.O_RDWR | _OPENING, dir_fd=directory)
    except OSError:
        return None
    finally:
        os.close(directory)
    try:
        found = os.fstat(marker)
        is_right = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and _is_ours_alone(found)
        if is_right and os.pread(marker, len(_MAGIC) + 1, 0) == _MAGIC:
            return marker
    except OSError:
        pass
    os.close(marker)
    return None


def _is_ours_alone(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        os.unlink(entry.path)  # noqa: PTH108 - an entry's path is text
