"""Writes `stage.log` of one job: a detailed line for each thing that happens, with its UTC time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from service_host.disk.plain_files import open_plain

MAX_LINES = 20_000
MAX_LINE_CHARS = 2000


class StageLog:
    """An append-only text file. A line that cannot be written is counted and never stops the job.

    The file is opened for each line: a thousand jobs that wait must not hold a thousand files.
    """

    __slots__ = ("_lines", "_path", "lost_lines")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self.lost_lines = 0

    def line(self, now_unix_nano: int, level: str, message: str) -> None:
        """Appends a line; beyond the limit of lines only its loss is counted."""
        if self._lines >= MAX_LINES:
            self.lost_lines += 1
            return
        self._lines += 1
        time = datetime.fromtimestamp(now_unix_nano / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = " ".join(message[:MAX_LINE_CHARS].splitlines())
        if self._lines == MAX_LINES:
            text += " (further lines are left out)"
        try:
            descriptor = open_plain(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                os.write(descriptor, f"{time}Z {level.upper():<7} {text}\n".encode(errors="replace"))
            finally:
                os.close(descriptor)
        except OSError:
            self.lost_lines += 1
