"""The end of a program where gRPC can begin nothing any more: a helper ships the rest.

Python 3.12 starts no thread for an exit handler (python/cpython#113964), and gRPC needs one for each stream.
A stream that is open by then goes on. Up to 3.12.2 that begins with the end of the main thread, whatever else
still runs. 3.11 and 3.13 are not concerned.
"""

from __future__ import annotations

import _thread
import ctypes
import time
from collections.abc import Callable
from pathlib import Path

from telecine.logging.shipping.spool_reader import (
    has_living_owner,
    last_written_seq,
    read_acked,
    spool_directories,
)

_START_SECONDS = 5.0
"""A helper that is not there by then is not waited for."""
_POLL_SECONDS = 0.01


def can_start_threads() -> bool:
    """Whether this interpreter still starts threads; asked by starting one."""
    try:
        _thread.start_new_thread(int, ())
    except RuntimeError:
        return False
    return True


def keep_for_ever(thing: object) -> None:
    """Never lets go of it: the end of a call that gRPC could not begin wholly is waited for without end."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def ship_by_helper(root: Path, launch: Callable[[], bool], timeout_seconds: float) -> None:
    """Starts a helper for what no living program writes below the root, and waits a while for it.

    What is not shipped by then the helper goes on with, or the next start.
    """
    from telecine.logging.shipping.shipping_process import nobody_ships

    if timeout_seconds <= 0 or _is_all_shipped(root):
        return
    began = time.monotonic()
    if not launch():
        return
    has_begun = False
    while not _is_all_shipped(root) and (waited := time.monotonic() - began) < timeout_seconds:
        is_there = not nobody_ships(root)
        if not is_there and (has_begun or waited >= _START_SECONDS):
            # It leaves after a while without a collector.
            return
        has_begun = has_begun or is_there
        time.sleep(_POLL_SECONDS)


def _is_all_shipped(root: Path) -> bool:
    return all(
        read_acked(spool) >= last_written_seq(spool) or not spool.exists()
        for spool in spool_directories(root)
        if not has_living_owner(spool)
    )
