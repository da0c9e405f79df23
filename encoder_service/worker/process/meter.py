"""Measures what an attempt costs this process: CPU seconds and the peak of its resident memory."""

from __future__ import annotations

import resource
from pathlib import Path

from encoder_service.evidence.facts import Resources

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"


class Meter:
    """Counts from its making on. Linux resets the peak; elsewhere it is the process's peak so far."""

    def __init__(self) -> None:
        self._began_seconds = _cpu_seconds()
        try:
            _CLEAR_REFS.write_text(_RESET_PEAK)
        except OSError:
            pass

    def read(self) -> Resources:
        """What was used since the meter was made."""
        return Resources(cpu_seconds=_cpu_seconds() - self._began_seconds, peak_rss_bytes=_peak_rss_bytes())


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def _peak_rss_bytes() -> int:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
