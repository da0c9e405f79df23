"""Keeps records that a service will never take, with its reason, in one file of bounded size."""

from __future__ import annotations

from pathlib import Path

import msgspec

from log_collector.sinks.sink import SinkError


class DeadLetter(msgspec.Struct, frozen=True):
    """One line of the file."""

    record_id: str
    """The same if the record is refused again after a crash."""
    reason: str
    detail: str
    """What the service said, cut."""
    record: msgspec.Raw | str
    """The record; as text where it is no JSON."""


class DeadLetters:
    """Belongs to one thread. The file and the one before it are together about `size_bytes` large at most."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        """`size_bytes`: 0 keeps nothing. Makes no file before there is something to keep."""
        self._path = path
        self._half_bytes = size_bytes // 2

    def add(self, letter: DeadLetter) -> None:
        """Appends one. Raises SinkError where the disk does not take it."""
        if not self._half_bytes:
            return
        line = msgspec.json.encode(letter) + b"\n"
        try:
            self._path.parent.mkdir(exist_ok=True, mode=0o700)
            if self._path.exists() and self._path.stat().st_size + len(line) > self._half_bytes:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            with self._path.open("ab") as file:
                file.write(line)
        except OSError as error:
            raise SinkError(f"{self._path.name}: {error.strerror or error}") from error
