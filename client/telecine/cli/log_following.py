"""Follows log files that grow, across rotation, without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from log_collector.query.selector import Selector

_LOOK_SECONDS: Final = 0.2
_READ_BYTES: Final = 4 << 20


def follow_files(root: Path, selector: Selector) -> Iterator[bytes]:
    """Yields lines that pass and are written from now on; never ends."""
    from log_collector.sinks.file_names import files_in, is_service_stream

    places = {_inode(file.path): _size(file.path) for file in files_in(root)}
    while True:
        has_news = False
        for file in files_in(root):
            if not is_service_stream(file.stream) or file.path.suffix in (".zst", ".gz"):
                continue
            inode = _inode(file.path)
            place = places.get(inode, 0)
            size = _size(file.path)
            if size < place:
                place = 0
            data = _read(file.path, place) if size > place else b""
            whole = data[: data.rfind(b"\n") + 1]
            places[inode] = place + len(whole)
            has_news |= bool(whole)
            for line in whole[:-1].split(b"\n"):
                if line and selector.passes(line) is not None:
                    yield line
        if not has_news:
            time.sleep(_LOOK_SECONDS)


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
