"""A clock in a file, which a test sets and a `clocked_collector` reads."""

from __future__ import annotations

import struct
from pathlib import Path

OFFSET = "<q"


class MovedClock:
    """Begins as the machine's own clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_ahead_by(0)

    def is_ahead_by(self, seconds: int) -> None:
        """Jumps; below 0 the clock is behind."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack(OFFSET, seconds))
