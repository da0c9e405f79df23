"""glibc's malloc, set for messages of a megabyte.

With glibc's defaults a message of about 1 MiB can be mapped, faulted in and unmapped anew each time (figures:
docs/decisions/house-deletions.md). The settings hold for this process alone: the programs that it starts,
such as the workers' zygote, keep their defaults.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

MALLOC_VARIABLES = {
    "MALLOC_TRIM_THRESHOLD_": "536870912",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}
"""The settings as variables, for a program that does not call `tune_malloc`."""

_PARAMETERS = {"MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_TOP_PAD_": -2, "MALLOC_MMAP_THRESHOLD_": -3}
"""The numbers that `mallopt` knows them by (glibc's malloc.h)."""


def tune_malloc(environ: Mapping[str, str] = os.environ) -> bool:
    """Sets glibc's malloc for this process; returns whether it did.

    It leaves another C library or allocator alone, and the settings of an operator who has chosen any: one
    of the variables, GLIBC_TUNABLES, or LD_PRELOAD. Call it before threads are started.
    """
    is_chosen = any(name in environ for name in (*MALLOC_VARIABLES, "GLIBC_TUNABLES", "LD_PRELOAD"))
    if is_chosen or not _is_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    accepted = [mallopt(_PARAMETERS[name], int(value)) for name, value in MALLOC_VARIABLES.items()]
    return all(accepted)


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):
        return False
