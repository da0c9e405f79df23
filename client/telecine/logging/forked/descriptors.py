"""Descriptors that a program may close behind our back: a daemon closes all that it does not know.

The number of a descriptor that was closed soon is another file's: what is written to it, or closed by it, is
theirs. So ours have high numbers, which nobody gets by accident and which come again late, and their holders
open their files anew.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import resource
from pathlib import Path

_MOST_NUMBERS = 512
"""Ours lie between so many and twice as many: few programs have so many, and `select` knows none above."""
_turns = itertools.count()


def open_high(path: Path, flags: int, mode: int = 0o600) -> int:
    """As `os.open`, for what stays open for long: with a high number where one is free. Raises OSError."""
    low = os.open(path, flags, mode)
    try:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except OSError:  # a filter around the program may deny to ask
        soft = resource.RLIM_INFINITY
    half = _MOST_NUMBERS if soft == resource.RLIM_INFINITY else min(_MOST_NUMBERS, soft // 2)
    for begin in (half + next(_turns) % max(1, half), half):
        with contextlib.suppress(OSError):  # all from there on are taken
            high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, begin)
            os.close(low)
            return high
    return low


def close_own(fd: int) -> None:
    """Closes it; nothing where the program has done that."""
    with contextlib.suppress(OSError):
        os.close(fd)


def is_closed(error: OSError) -> bool:
    """Whether the error says that the program has closed the descriptor."""
    return error.errno == errno.EBADF
