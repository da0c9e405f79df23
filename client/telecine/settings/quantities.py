"""Sizes and durations as people write them in configuration: "4GiB", "30s"."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")

_BYTES = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

BYTES_FORM = 'a size such as 1048576, "4MB" or "4GiB"'
SECONDS_FORM = 'a duration such as 30, "500ms", "30s", "5m", "2h" or "7d"'


def parse_bytes(text: str) -> int:
    """Reads a size; raises ValueError for anything else and for a fraction of a byte."""
    size = _scaled(text, _BYTES, BYTES_FORM)
    if size != int(size):
        raise ValueError(BYTES_FORM)
    return int(size)


def parse_seconds(text: str) -> float:
    """Reads a duration; raises ValueError for anything else."""
    return _scaled(text, _SECONDS, SECONDS_FORM)


def _scaled(text: str, units: dict[str, int] | dict[str, float], form: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None or (unit := match[2].lower()) not in units:
        raise ValueError(form)
    number = float(match[1]) if "." in match[1] else int(match[1])
    return number * units[unit]
