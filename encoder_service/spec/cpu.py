"""What the processor can do, as far as it changes which encoder options are safe."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")


@cache
def has_avx512() -> bool:
    """Whether codecs would choose their AVX-512 code; False where the system does not tell."""
    try:
        text = _CPU_INFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(
        "avx512f" in line.split() for line in text.splitlines() if line.startswith(("flags", "Features"))
    )
