"""System calls that Python has no name for: the only place where the sandbox touches the C library."""

from __future__ import annotations

import ctypes
import os
import sys

MACHINES = {"x86_64": 0, "aarch64": 1}
"""The columns of the tables in `syscalls`."""

_PRCTL = (157, 167)


def column() -> int | None:
    """The column of this machine in the tables of system calls; None if it has none."""
    # A 32-bit program on a 64-bit kernel has other numbers.
    if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32:
        return None
    return MACHINES.get(os.uname().machine)


def call(
    numbers: tuple[int, int], *arguments: int | ctypes.c_void_p | ctypes.Array[ctypes.c_char] | None
) -> int:
    """Makes a system call, with arguments as wide as registers. Raises OSError."""
    place = column()
    if place is None:
        raise OSError(38, os.strerror(38))
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    library = ctypes.CDLL(None, use_errno=True)
    result = int(library.syscall(ctypes.c_long(numbers[place]), *passed))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, value: int = 0) -> int:
    """Calls prctl(2); raises OSError if it fails."""
    return call(_PRCTL, option, value, 0, 0, 0)
