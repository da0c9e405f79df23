"""Which data directory an embedded service takes where several processes are configured with the same one.

The first process has the directory itself, the others one of their own below it: `processes/2` and so on, the
lowest that is free, so that the same number of processes finds the same directories again.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_PROCESSES: Final = 256
"""That keep their data below one directory."""
_LOCKS: Final = Path("/proc/locks")
_RELEASE_SECONDS: Final = 10.0
"""How long a service whose program has ended may take to let go: its jobs are this program's to resume."""
_POLL_SECONDS: Final = 0.05


def places(base: Path) -> Iterator[Path]:
    """The directories in the order in which they are tried."""
    yield base
    for number in range(2, MAX_PROCESSES + 1):
        yield base / "processes" / str(number)


def is_taken(path: Path) -> bool:
    """Whether a service has the directory, as far as can be seen without touching its lock.

    One whose program has just ended is waited for.
    """
    deadline = time.monotonic() + _RELEASE_SECONDS
    while (holder := _holder(path)) is not None:
        if not _is_orphan(holder) or time.monotonic() > deadline:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def is_locked(path: Path) -> bool:
    """Whether another process has the directory; asked only after a service could not be started there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _holder(path: Path) -> int | None:
    """The process that has locked the directory; None: none is seen, or this system does not list them."""
    try:
        found = path.stat()
        lines = _LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and wanted in fields:
            pid = fields[fields.index(wanted) - 1]
            return int(pid) if pid.isdecimal() else None
    return None


def _is_orphan(pid: int) -> bool:
    """Whether the process's parent has ended, so that it will end too; the first process takes it over."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[1] == "1"
