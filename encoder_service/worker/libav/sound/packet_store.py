"""Keeps encoded pictures on the disk until the sound that belongs between them is known."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

_HEAD = struct.Struct("<qq?II")


class StoredPacket(msgspec.Struct, frozen=True):
    """A packet as the encoder gave it; times in frames."""

    data: bytes
    pts: int
    dts: int
    is_key: bool
    alpha: bytes


class PacketStore:
    """An unnamed file in the attempt's directory: memory stays the same however long the clip is."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError."""
        path = directory / ".packets"
        self._file: BinaryIO = path.open("w+b")
        path.unlink()

    def add(self, packet: StoredPacket) -> None:
        """Appends a packet. Raises OSError."""
        self._file.write(
            _HEAD.pack(
                packet.pts,
                packet.dts,
                packet.is_key,
                len(packet.data),
                len(packet.alpha),
            )
        )
        self._file.write(packet.data)
        self._file.write(packet.alpha)

    def packets(self) -> Iterator[StoredPacket]:
        """Yields all packets, in the order they came. Raises OSError."""
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            pts, dts, is_key, size, alpha_size = _HEAD.unpack(head)
            yield StoredPacket(self._file.read(size), pts, dts, is_key, self._file.read(alpha_size))

    def close(self) -> None:
        """Frees the disk; idempotent."""
        self._file.close()
