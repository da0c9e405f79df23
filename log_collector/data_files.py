"""What lies in the collector's data directory, and how one of release 0.1.0 is recognised."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from log_collector.files.names import is_own_name
from service_host.disk.data_directory import (
    LOCK,
    MARKER,
    foreign_names,
    is_lock,
    is_plain_directory,
    is_plain_file,
)

KIND: Final = "collector"
"""In the marker of the data directory."""
FILES_KIND: Final = "collector's files"
"""In the marker of a directory of files outside the data directory."""
JOURNAL: Final = "journal"
CURSORS: Final = "cursors.sqlite"
LOGS: Final = "logs"
FILE_SINK: Final = "file"
"""Name of the file sink, whose cursor says that a directory of files is ours."""
CSV: Final = "csv"
DEAD_LETTERS: Final = "dead-letters"
OWN_LOGS: Final = "own-logs"

EMBEDDED_LOG: Final = "collector.log"
"""The standard error of a collector that a program embeds; opened before the collector runs."""

_SQLITE: Final = b"SQLite format 3\0"


def is_former_directory(path: Path) -> bool:
    """Whether release 0.1.0 made the directory, which had no marker: its lock and its records say so.

    Raises OSError.
    """
    names = set(foreign_names(path))
    if names <= {LOCK, MARKER, OWN_LOGS, EMBEDDED_LOG}:
        # A collector that never got so far as to open its journal.
        is_embedded = is_plain_file(path / EMBEDDED_LOG)
        return is_embedded or is_lock(path / LOCK) or _has_own_log(path / OWN_LOGS)
    return is_lock(path / LOCK) and (_has_journal(path / JOURNAL) or _has_cursors(path / CURSORS))


def has_only_log_files(path: Path) -> bool:
    """Whether all that a directory holds has names of the file sink's. Raises OSError."""
    return all(is_own_name(name) for name in foreign_names(path))


def _has_journal(path: Path) -> bool:
    return is_plain_directory(path) and is_plain_file(path / "durable")


def _has_cursors(path: Path) -> bool:
    if not is_plain_file(path):
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _has_own_log(path: Path) -> bool:
    return is_plain_directory(path) and is_plain_file(path / "collector.log")
