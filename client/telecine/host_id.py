"""Tells this machine from all others: client and service compare it to see whether they share one."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def host_id() -> str:
    """What tells this machine, since it was started, from all others; empty where that cannot be known."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
