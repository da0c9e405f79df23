"""The end of a program where gRPC can begin nothing any more: a helper ships the rest.

Python 3.12 starts no thread for an exit handler (python/cpython#113964), and gRPC needs one for each stream.
A stream that is open by then goes on. Up to 3.12.2 that begins with the end of the main thread, whatever else
still runs. 3.11 and 3.13 are not concerned.
"""

from __future__ import annotations

import _thread
import ctypes


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
