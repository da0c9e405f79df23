"""A second copy of every sink's cursor: what shows that the first one was lost, and puts it back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import google_crc32c
import msgspec

_SUFFIX: Final = ".cursor"
_OPENING: Final = os.O_CLOEXEC | os.O_NOFOLLOW


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A sink's cursor, and what distinguishes a newer one from an older one."""

    sink: str
    generation: int
    """Grows by one with every step of the sink."""
    position: int
    state: bytes = b""


def seal_of(place: Place) -> int:
    """A checksum over all of it."""
    value: int = google_crc32c.value(msgspec.msgpack.encode(place))
    return value


class CursorMirror:
    """One small file for each sink, written over after each step of its cursor and not synced.

    A killed process leaves it whole; after a loss of power it may be behind the synced copy, which counts
    then. Not thread-safe. Owns its descriptors; `close` is idempotent.
    """

    def __init__(self, directory: Path) -> None:
        """Raises OSError."""
        self._directory = directory
        self._descriptors: dict[str, int] = {}
        directory.mkdir(mode=0o750, exist_ok=True)

    def load(self) -> tuple[dict[str, Place], set[str]]:
        """The sinks' places, and the sinks whose files are damaged. Raises OSError."""
        found: dict[str, Place] = {}
        damaged: set[str] = set()
        for path in sorted(self._directory.iterdir()):
            if not path.name.endswith(_SUFFIX):
                continue
            place = _read(path)
            if place is None or path != self._path(place.sink):
                damaged.add(unquote(path.name.removesuffix(_SUFFIX)))
            else:
                found[place.sink] = place
        return found, damaged

    def write(self, place: Place) -> None:
        """Replaces a sink's place. Raises OSError."""
        fd = self._descriptors.get(place.sink)
        if fd is None or not os.fstat(fd).st_nlink:
            self._release(place.sink)
            fd = os.open(self._path(place.sink), os.O_WRONLY | os.O_CREAT | _OPENING, 0o640)
            self._descriptors[place.sink] = fd
        data = msgspec.msgpack.encode(place)
        sealed = seal_of(place).to_bytes(4, "little") + len(data).to_bytes(4, "little") + data
        os.pwrite(fd, sealed, 0)

    def forget(self, sink: str) -> None:
        """Removes a sink's place. Raises OSError."""
        self._release(sink)
        self._path(sink).unlink(missing_ok=True)

    def close(self) -> None:
        """Releases the files."""
        for sink in list(self._descriptors):
            self._release(sink)

    def _release(self, sink: str) -> None:
        fd = self._descriptors.pop(sink, None)
        if fd is not None:
            os.close(fd)

    def _path(self, sink: str) -> Path:
        return self._directory / f"{quote(sink, safe='')}{_SUFFIX}"


def _read(path: Path) -> Place | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _OPENING)
        with os.fdopen(fd, "rb") as file:
            data = file.read()
    except OSError:
        return None
    size = int.from_bytes(data[4:8], "little")
    try:
        place = msgspec.msgpack.decode(data[8 : 8 + size], type=Place)
    except msgspec.DecodeError:
        return None
    return place if data[:4] == seal_of(place).to_bytes(4, "little") else None
