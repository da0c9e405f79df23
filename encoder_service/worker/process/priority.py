"""Lowers a worker's priority below what sends and receives frames; it still uses every idle moment."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from pathlib import Path

VARIABLE = "TELECINE_WORKER_NICE"
_DEFAULT_NICENESS = 5

# System calls that Python has no name for: (x86_64, aarch64).
_CAPGET = {"x86_64": 125, "aarch64": 90}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}

_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)  # version 3, this thread
_CAPABILITIES = struct.Struct("=6I")  # effective, permitted, inheritable: low words, then high words
_CAP_SYS_NICE = 1 << 23
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")  # size, policy, flags, nice, priority, runtime, deadline, period
_LONG_SLICE_NANOSECONDS = 100_000_000  # the most that Linux takes


def lower_priority() -> None:
    """Lowers this process's priority by the niceness of `VARIABLE`, for good.

    Call it before any thread is started: threads inherit what is set here. Nothing here is needed
    for a right result, so what a kernel does not know, or a filter around the service denies (systemd's
    `SystemCallFilter=~@resources`), is left out. Why each part is there:
    docs/decisions/worker-priority.md.
    """
    niceness = int(os.environ.get(VARIABLE, _DEFAULT_NICENESS))
    with contextlib.suppress(OSError):
        os.nice(niceness)
    if not sys.platform.startswith("linux"):
        return
    refuse_real_time()
    if niceness:
        _lower_session(niceness)
        _lengthen_slice(niceness)


def _lower_session(niceness: int) -> None:
    if os.getsid(0) == os.getpid():
        try:
            Path("/proc/self/autogroup").write_text(str(niceness))
        except OSError:
            pass


def _lengthen_slice(niceness: int) -> None:
    attributes = _SCHED_ATTR.pack(
        _SCHED_ATTR.size, os.SCHED_OTHER, 0, niceness, 0, _LONG_SLICE_NANOSECONDS, 0, 0
    )
    _call(_SCHED_SETATTR, 0, attributes, 0)


def refuse_real_time() -> None:
    """Leaves a real-time policy that was inherited, and gives up the right to ask for one."""
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    held = ctypes.create_string_buffer(_CAPABILITIES.size)
    if _call(_CAPGET, _CAPABILITY_HEADER, held) != 0:
        return
    low_effective, low_permitted, *others = _CAPABILITIES.unpack(held.raw)
    kept = _CAPABILITIES.pack(low_effective & ~_CAP_SYS_NICE, low_permitted & ~_CAP_SYS_NICE, *others)
    _call(_CAPSET, _CAPABILITY_HEADER, kept)


def _call(numbers: dict[str, int], *arguments: object) -> int:
    number = numbers.get(os.uname().machine)
    return -1 if number is None else int(ctypes.CDLL(None).syscall(number, *arguments))
