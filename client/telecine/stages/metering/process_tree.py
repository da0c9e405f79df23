"""Reads from Linux's /proc what a process and its children use; elsewhere, what the process alone uses."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import msgspec

from telecine.machine import peak_rss_bytes

_PROC = Path("/proc")
_USER_TICKS, _CHILDREN_SYSTEM_TICKS, _RSS_PAGES = 11, 14, 21
"""Places in /proc/<pid>/stat behind the program's name: proc(5), fields 14 to 17 and 24."""
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MAX_PROCESSES = 10_000


class TreeUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a process and its living descendants use."""

    pids: frozenset[int]
    cpu_seconds: float
    """Since each of them started, with their children that have ended and were waited for."""
    rss_bytes: int
    own_peak_rss_bytes: int
    """Of the calling process alone, since it started."""


def tree_use() -> TreeUse:
    """Looks at the calling process and all below it."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    peak = peak_rss_bytes()
    me = os.getpid()
    below = _descendants(me)
    rss_bytes = _stat(me)[1] or peak
    for pid in below:
        child_cpu_seconds, child_rss_bytes = _stat(pid)
        cpu_seconds += child_cpu_seconds
        rss_bytes += child_rss_bytes
    return TreeUse(
        pids=frozenset((me, *below)),
        cpu_seconds=cpu_seconds,
        rss_bytes=rss_bytes,
        own_peak_rss_bytes=peak,
    )


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < _MAX_PROCESSES:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def _children(pid: int) -> list[int]:
    """Each thread has its own list of children."""
    children: list[int] = []
    try:
        with os.scandir(f"/proc/{pid}/task") as tasks:
            for task in tasks:
                children += map(int, (Path(task.path) / "children").read_text().split())
    except OSError:
        # It has just ended, or this is no Linux.
        return children
    return children


def _stat(pid: int) -> tuple[float, int]:
    """CPU seconds and resident bytes; zeros for a process that has ended."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    ticks = sum(map(int, fields[_USER_TICKS : _CHILDREN_SYSTEM_TICKS + 1]))
    return ticks / _TICKS_PER_SECOND, int(fields[_RSS_PAGES]) * _PAGE_BYTES
