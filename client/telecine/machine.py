"""The machine that a program runs on: its identity, the cores and the memory that the program may use."""

from __future__ import annotations

import math
import os
import resource
import sys
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATUS = Path("/proc/self/status")
_CGROUPS = Path("/sys/fs/cgroup")
_CGROUP_LIMITS = (_CGROUPS / "memory.max", _CGROUPS / "memory/memory.limit_in_bytes")
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""The unit of `ru_maxrss`: macOS counts bytes, all others kibibytes."""


@cache
def host_id() -> str:
    """Identifies this machine since it was started; empty where that cannot be known (not Linux).

    Client and service compare it to see whether they share a machine.
    """
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def usable_cores() -> int:
    """How many cores this process may keep busy, at least 1: those it may run on, or a container's quota.

    A quota that is no whole number is rounded up: two threads get more out of 1.5 cores than one.
    """
    try:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    except OSError:  # a system-call filter around the process may forbid the question
        cores = os.cpu_count() or 1
    return max(1, min(cores, math.ceil(_cpu_quota(_CGROUPS))))


def _cpu_quota(cgroups: Path) -> float:
    """The cores' worth of time that the container gets; a very large number where there is no quota."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            texts = " ".join((cgroups / name).read_text() for name in names)
            quota, period = (int(text) for text in texts.split())
        except (OSError, ValueError):  # no such group, or "max"
            continue
        if quota > 0 and period > 0:  # -1: none
            return quota / period
    return sys.maxsize


@cache
def usable_memory_bytes() -> int:
    """The memory of the machine, or of the container if that is less."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        try:
            sizes.append(int(path.read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            pass
    return min(sizes)


def peak_rss_bytes() -> int:
    """The most memory this process had resident, since it started or since Linux reset its peak."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        lines = []
    peaks = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return next(peaks, 0) or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES
