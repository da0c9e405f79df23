"""A file system of a few megabytes, to be filled; needs the right to mount one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(directory: Path, size_mib: int) -> Iterator[Path]:
    """A fresh file system of this size; the test is skipped where it cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(directory)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this system does not let us mount a small disk")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
