"""Makes a worker give way to whoever sends and receives frames, and still use every idle moment."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

VARIABLE = "TELECINE_WORKER_NICE"
_DEFAULT_NICENESS = 10
_LONG_SLICE_NANOSECONDS = 100_000_000  # the most that Linux takes
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")  # size, policy, flags, nice, priority, runtime, deadline, period


def give_way() -> None:
    """Lowers this process's priority by the niceness of `VARIABLE`. Never raises: it is only a favour.

    Three settings, because each alone is not enough (see docs/decisions/worker-priority.md):
    the niceness; on kernels with autogroups, where a niceness counts only within its session, that of
    the session; and, since Linux 6.12, a long time slice, so that a thread that wakes up for a chunk
    runs at once instead of after the running slice.
    Must be called before any thread is started: threads inherit it.
    """
    niceness = int(os.environ.get(VARIABLE, _DEFAULT_NICENESS))
    os.nice(niceness)
    if not sys.platform.startswith("linux") or niceness == 0:
        return
    try:
        if os.getsid(0) == os.getpid():
            Path("/proc/self/autogroup").write_text(str(niceness))
    except OSError:
        pass
    _lengthen_slice()


def _lengthen_slice() -> None:
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is None:
        return
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _SCHED_ATTR.pack(
        _SCHED_ATTR.size, os.SCHED_OTHER, 0, niceness, 0, _LONG_SLICE_NANOSECONDS, 0, 0
    )
    # A kernel that does not know it answers with an error, which changes nothing.
    ctypes.CDLL(None).syscall(number, 0, attributes, 0)
