"""Notices that the program which embeds this service is gone, however it died."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import stat
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 1.0


def watch_parent(on_gone: Callable[[str], None]) -> Callable[[], None]:
    """Calls `on_gone(reason)` on the running loop when standard input ends or the parent dies.

    Returns what ends the watch. Standard input counts only where it is a pipe or a socket: its other end
    closes with the parent. That is not enough alone, for a process forked from the parent may keep it
    open; so on Linux the kernel sends a signal too. It does so already when the parent's *thread* that
    started us ends, so the signal only makes us look whether the parent has changed; and since that can
    be missed between fork and here, we look every second as well.
    """
    loop = asyncio.get_running_loop()
    parent = os.getppid()
    undo: list[Callable[[], object]] = []

    def look() -> None:
        if os.getppid() != parent:
            on_gone("parent is gone")

    def look_again() -> None:
        look()
        timers[0] = loop.call_later(_POLL_SECONDS, look_again)

    if sys.platform == "linux":
        loop.add_signal_handler(signal.SIGUSR2, look)
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2)
        undo.append(lambda: prctl(_PR_SET_PDEATHSIG, 0))
        undo.append(lambda: loop.remove_signal_handler(signal.SIGUSR2))
    timers = [loop.call_later(_POLL_SECONDS, look_again)]
    undo.append(lambda: timers.pop().cancel())
    if _is_pipe(0):
        loop.add_reader(0, lambda: on_gone("standard input ended") if _has_ended(0) else None)
        undo.append(lambda: loop.remove_reader(0))

    def unwatch() -> None:
        for step in undo:
            with contextlib.suppress(RuntimeError, ValueError):
                step()

    return unwatch


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _has_ended(descriptor: int) -> bool:
    """Reads and forgets what the parent may have written."""
    try:
        return os.read(descriptor, 4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
