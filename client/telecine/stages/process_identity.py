"""Who runs a stage, written down so that later readers can find out whether that process still lives.

A process id alone says nothing: it is used again, means another process in another container, and nothing at
all after a reboot. So boot, pid namespace and start time stand beside it; and a lock that dies with its
holder decides where the process table of the holder cannot be seen.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from telecine.machine import host_id

_PID_NAMESPACE = Path("/proc/self/ns/pid")
_STATE, _START_TICKS = 0, 19
"""Places in /proc/<pid>/stat behind the program's name: proc(5), fields 3 and 22."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process, distinct from every other that ever had its id."""

    hostname: str
    boot_id: str
    """Linux's id of one boot of the machine; empty: not Linux."""
    pid_namespace: int
    """Which table of processes the id is of; 0: not Linux."""
    pid: int
    start_ticks: int
    """Clock ticks from the boot to the process's start; 0: not Linux."""


class Liveness(StrEnum):
    """Whether a process still runs its stage."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"
    """It ran on another machine, which cannot be asked."""


def this_process() -> Process:
    """Identifies the calling process."""
    return Process(
        hostname=socket.gethostname(),
        boot_id=host_id(),
        pid_namespace=_pid_namespace(),
        pid=os.getpid(),
        start_ticks=start_ticks(os.getpid()) or 0,
    )


def liveness(
    process: Process,
    here: Process,
    ticks_of: Callable[[int], int | None],
    is_locked: Callable[[], bool | None],
) -> Liveness:
    """Whether `process` still holds its stage, seen from the process `here`.

    `ticks_of` gives the start time of the process that has an id now, or None. `is_locked` says
    whether the stage's lock is held; None: unknown.
    """
    if not process.boot_id or not here.boot_id:
        is_same_machine = process.hostname == here.hostname
        return _by_lock(is_locked()) if is_same_machine else Liveness.UNKNOWN
    if process.boot_id != here.boot_id:
        # The same name after another boot: that machine was restarted, and nothing survives that.
        return Liveness.DEAD if process.hostname == here.hostname else Liveness.UNKNOWN
    if process.pid_namespace != here.pid_namespace:
        return _by_lock(is_locked())
    if ticks_of(process.pid) != process.start_ticks:
        return Liveness.DEAD
    # The process lives; without its lock it has become another program, or has let go of the stage.
    return Liveness.DEAD if is_locked() is False else Liveness.ALIVE


def liveness_on_disk(process: Process, lock_path: Path) -> Liveness:
    """Whether `process` still holds its stage, seen from the calling process on this machine."""
    return liveness(process, this_process(), start_ticks, lambda: is_lock_held(lock_path))


def start_ticks(pid: int) -> int | None:
    """When the process with this id started; None: no such process, or only its remains (a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[_STATE] in "ZX" else int(fields[_START_TICKS])


def is_lock_held(path: Path) -> bool | None:
    """Whether somebody holds the lock file; None: unknown."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


def _by_lock(is_locked: bool | None) -> Liveness:
    if is_locked is None:
        return Liveness.UNKNOWN
    return Liveness.ALIVE if is_locked else Liveness.DEAD


def _pid_namespace() -> int:
    try:
        return _PID_NAMESPACE.stat().st_ino
    except OSError:
        return 0
