"""Replaces a file whole or not at all: temporary name, fsync, rename."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, data: bytes, *, is_synced: bool) -> None:
    """Writes `data` so that a reader, or a kill at any instant, finds the old file or the new one.

    With `is_synced` the new one also survives the machine's death. Only one caller at a time. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if is_synced:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if is_synced:
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
