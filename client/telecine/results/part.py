"""The file that a download grows in beside its target, and that is renamed to it when it is complete."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from telecine.results.values import Artifact

try:
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]  # Windows has none

_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Part:
    """A part that is open for writing, and whose target is known."""

    def __init__(self, file: BinaryIO, path: Path, target: Path) -> None:
        self.file = file
        self._path = path
        self._target = target

    def place(self, found: Artifact) -> Artifact:
        """Renames it, complete as it is, to its target. Raises OSError."""
        self._path.replace(self._target)
        return replace(found, local_path=self._target)


@contextmanager
def open_part(target: Path) -> Iterator[Part]:
    """Opens `<target>.part`, with what an earlier download left in it, for this call alone.

    Where another call or process is writing it, a name of our own is used, and nothing is left of it
    when the call fails. The usual name can be foreseen: a link, or anything else there that is no file of
    this user alone, is replaced, never followed. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    usual = target.with_name(f"{target.name}.part")
    descriptor = _existing(usual)
    if descriptor is not None and _has_lock(descriptor, usual):
        with os.fdopen(descriptor, "a+b") as file:
            yield Part(file, usual, target)
        return
    if descriptor is not None:
        os.close(descriptor)
    own = target.with_name(f"{target.name}.{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(own, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666), "a+b") as file:
            yield Part(file, own, target)
    finally:
        own.unlink(missing_ok=True)


def _existing(path: Path) -> int | None:
    """A descriptor of the usual part, made if it is missing; None: somebody else was quicker."""
    with suppress(OSError):  # missing, a link, or a pipe that nobody reads
        descriptor = os.open(path, _FLAGS | _SAFE)
        if _is_own(os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)
    path.unlink(missing_ok=True)
    with suppress(FileExistsError):
        return os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    return None


def _is_own(found: os.stat_result) -> bool:
    is_of_user = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and is_of_user


def _has_lock(descriptor: int, path: Path) -> bool:
    """Whether nobody else writes this file, and it was not renamed to its target meanwhile."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False
