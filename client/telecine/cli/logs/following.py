"""Follows log files that grow, across rotation, without a server."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from log_collector.query.selector import Selector

_LOOK_SECONDS: Final = 0.2
_READ_BYTES: Final = 4 << 20


class FileTail:
    """Lines that pass: those that `first` gives, then what is written from now on. See `Tail`."""

    def __init__(self, root: Path, selector: Selector, first: Callable[[], list[bytes]]) -> None:
        self._root = root
        self._selector = selector
        self._closed = threading.Event()
        self._places = self._sizes()
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
        from log_collector.files.names import files_in, is_service_stream

        passing: list[bytes] = []
        for file in files_in(self._root):
            if not is_service_stream(file.stream) or file.path.suffix in (".zst", ".gz"):
                continue
            inode = _inode(file.path)
            place = self._places.get(inode, 0)
            size = _size(file.path)
            if size < place:
                place = 0
            data = _read(file.path, place) if size > place else b""
            whole = data[: data.rfind(b"\n") + 1]
            self._places[inode] = place + len(whole)
            passing += [x for x in whole[:-1].split(b"\n") if x and self._selector.passes(x) is not None]
        return passing

    def _sizes(self) -> dict[int, int]:
        from log_collector.files.names import files_in

        return {_inode(file.path): _size(file.path) for file in files_in(self._root)}


def _read(path: Path, place: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(place)
            return file.read(_READ_BYTES)
    except FileNotFoundError:
        return b""


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
