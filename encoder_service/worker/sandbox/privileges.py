"""What a process may ask of the kernel: no new privileges, no capabilities, and bounded resources."""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from encoder_service.worker.sandbox.linux import call, prctl

_PR_SET_NO_NEW_PRIVS = 38
_CAPGET, _CAPSET = (125, 90), (126, 91)
_HEADER = struct.pack("=Ii", 0x20080522, 0)  # version 3, this thread
_SETS = struct.Struct("=6I")  # effective, permitted, inheritable: low words, then high words
_OPEN_FILES = 1024
_FILES_OF_OTHERS = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def refuse_new_privileges() -> None:
    """No program or file can give this process more rights than it has. Raises OSError."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities(needed: Iterable[str]) -> None:
    """Gives up the superuser's powers, whatever user the service runs as. Raises OSError.

    Where a needed path can then not be reached, because a service of root keeps its data in somebody else's
    closed directory, the right to look past permissions stays: Landlock says which files it is worth.
    """
    buffer = ctypes.create_string_buffer(_SETS.size)
    call(_CAPGET, _pointer(_HEADER), buffer)
    permitted = _SETS.unpack(buffer.raw)[1]
    kept = permitted & _FILES_OF_OTHERS
    if kept:
        _set(0, kept)
        if not all(map(_is_reachable, needed)):
            _set(kept, kept)
            return
    _set(0, 0)


def _set(effective: int, permitted: int) -> None:
    call(_CAPSET, _pointer(_HEADER), _pointer(_SETS.pack(effective, permitted, 0, 0, 0, 0)))


def _is_reachable(path: str) -> bool:
    try:
        is_directory = stat.S_ISDIR(Path(path).stat().st_mode)
    except PermissionError:
        return False
    except OSError:
        return True  # it is not there, for the superuser neither
    return os.access(path, os.R_OK | (os.W_OK | os.X_OK if is_directory else 0), effective_ids=True)


def bound(data_bytes: int, file_bytes: int) -> None:
    """Bounds private memory and files (0: as it was), forbids core dumps. Raises OSError or ValueError."""
    _lower(resource.RLIMIT_CORE, 0)
    if data_bytes:
        _lower(resource.RLIMIT_DATA, data_bytes)
    if file_bytes:
        _lower(resource.RLIMIT_FSIZE, file_bytes)
    # Each open file is memory of the kernel.
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if soft == resource.RLIM_INFINITY else min(soft, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (lower, lower))


def _pointer(data: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(data, len(data))
