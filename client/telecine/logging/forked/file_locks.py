"""File locks that a forked child does not inherit.

A lock by `flock` belongs to the open file, which a fork shares: a child that is forked while a thread of the
parent holds one would hold it too, for as long as it lives. So such files are known, and closed in the child.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from telecine.logging.forked.descriptors import close_own, open_high

_guard = threading.RLock()
_held: set[int] = set()

_CREATING = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def take(
    path: Path,
    *,
    waits: bool = True,
    creates: bool = True,
    is_shared: bool = False,
    mode: int = 0o600,
) -> int:
    """Opens the file, or directory, and locks it; returns what `give` takes.

    Raises:
        BlockingIOError: somebody else has the lock, and `waits` is false.
        OSError: the file cannot be opened.
    """
    with _guard:
        fd = open_high(path, _CREATING if creates else _READING, mode)
        _held.add(fd)
    try:
        kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        fcntl.flock(fd, kind if waits else kind | fcntl.LOCK_NB)
    except BaseException:
        give(fd)
        raise
    return fd


def give(fd: int) -> None:
    """Releases the lock; nothing for one that a fork has taken away."""
    with _guard:
        if fd in _held:
            _held.discard(fd)
            close_own(fd)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock of what exists there.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        give(take(path, waits=False, creates=False))
    except BlockingIOError:
        return False
    return True


def _let_go_in_child() -> None:
    global _guard  # noqa: PLW0603 - the parent's may be held by a thread that is not here
    _guard = threading.RLock()
    for fd in _held:
        close_own(fd)
    _held.clear()


def _release_in_parent() -> None:
    _guard.release()


def _hold() -> None:
    _guard.acquire()


os.register_at_fork(before=_hold, after_in_parent=_release_in_parent, after_in_child=_let_go_in_child)
