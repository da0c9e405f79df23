"""Tells which FFmpeg this is."""

from __future__ import annotations

from functools import cache

import av


@cache
def library_versions() -> dict[str, str]:
    """Names and versions of PyAV and of FFmpeg's libraries, such as "libavcodec" to "62.28.102"."""
    found = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    return {"PyAV": av.__version__, **found}
