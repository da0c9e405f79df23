"""Follows log files that grow, across rotation, without a server."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from telecine.cli.logs.forms.any_lines import records_of
from telecine.cli.logs.forms.encodings import whole_lines, wide_encoding

if TYPE_CHECKING:
    from log_collector.files.names import LogFile
    from log_collector.query.selector import Selector

_LOOK_SECONDS: Final = 0.2
_READ_BYTES: Final = 4 << 20
_HEAD_BYTES: Final = 4 << 10
_SETTLED_SECONDS: Final = 5.0
"""A file that was renamed may still be written to by who has it open."""
_PACKED: Final = (".zst", ".gz")


class FileTail:
    """Lines that pass: those that `first` gives, then what is written from now on. See `Tail`."""

    def __init__(self, root: Path, selector: Selector, first: Callable[[], list[bytes]]) -> None:
        self._root = root
        self._selector = selector
        self._closed = threading.Event()
        self._places: dict[tuple[str, bytes], int] = {}
        """Up to where each file was read: known by its stream and its first line."""
        self._done: set[tuple[str, int, int]] = set()
        """Files that are not written to any more, and were read."""
        self._skip_all()
        self._first = first

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        first = self._first()
        yield from ((0, line) for line in first)
        # What was written while those were looked for is found again.
        known = Counter(first)
        while not self._closed.is_set():
            lines = self._news()
            if not lines:
                self._closed.wait(_LOOK_SECONDS)
            for line in lines:
                if known[line]:
                    known[line] -= 1
                else:
                    yield 0, line

    def close(self) -> None:
        """Ends it at its next look. Idempotent."""
        self._closed.set()

    def _news(self) -> list[bytes]:
        passing: list[bytes] = []
        for file in _in_order(self._root):
            if _identity(file) in self._done:
                continue
            lines = records_of(self._new_lines(file))
            passing += [line for line in lines if self._selector.passes(line) is not None]
        return passing

    def _skip_all(self) -> None:
        """Takes all that stands there now as seen."""
        for file in _in_order(self._root):
            if file.path.suffix in _PACKED:
                self._done.add(_identity(file))
                continue
            with _opened(file.path) as source:
                if source is not None and (head := _head(source)):
                    self._places[file.stream, head] = os.fstat(source.fileno()).st_size

    def _new_lines(self, file: LogFile) -> list[bytes]:
        """What a file has behind the place up to which it was read, under whatever name it then stood."""
        identity = _identity(file)
        if file.path.suffix in _PACKED:
            self._done.add(identity)
            return self._unpacked_lines(file)
        with _opened(file.path) as source:
            if source is None or not (head := _head(source)):
                return []
            found = os.fstat(source.fileno())
            place = self._places.get((file.stream, head), 0)
            place = place if place <= found.st_size else 0
            source.seek(place)
            data = source.read(_READ_BYTES)
        size, whole = whole_lines(data, wide_encoding(head))
        self._places[file.stream, head] = place + size
        if not file.is_active and len(data) < _READ_BYTES and time.time() - found.st_mtime > _SETTLED_SECONDS:
            self._done.add(identity)
        return whole[:-1].split(b"\n") if whole else []

    def _unpacked_lines(self, file: LogFile) -> list[bytes]:
        from log_collector.query.reading_files import read_sound_blocks

        lines: list[bytes] = []
        place = 0
        head = b""
        for offset, block in read_sound_blocks(file.path, []):
            if not offset:
                head = block[: block.find(b"\n") + 1][:_HEAD_BYTES]
                place = self._places.get((file.stream, head), 0)
            if offset + len(block) > place:
                lines += block[max(0, place - offset) : -1].split(b"\n")
                place = self._places[file.stream, head] = offset + len(block)
        return lines


def _in_order(root: Path) -> list[LogFile]:
    """The files of all services, the oldest of each first; those that others have rotated by their age."""
    from log_collector.files.names import files_in, is_service_stream

    files = [file for file in files_in(root) if is_service_stream(file.stream)]
    return sorted(files, key=lambda file: (file.stream, file.is_active, file.number, _mtime(file.path)))


def _identity(file: LogFile) -> tuple[str, int, int]:
    try:
        found = file.path.stat()
    except FileNotFoundError:
        return file.path.name, 0, 0
    # The one that is written to is never done with.
    return file.path.name, found.st_ino, -1 if file.is_active else found.st_size


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | None]:
    try:
        source = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with source:
        yield source


def _head(source: IO[bytes]) -> bytes:
    """The first line, by which a file is known however it is renamed; empty: there is none yet."""
    start = source.read(_HEAD_BYTES)
    end = start.find(b"\n") + 1
    return start[:end] if end else start if len(start) == _HEAD_BYTES else b""


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
