"""Records that a rule holds back: acknowledged, not written yet, and not lost when the process dies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import zstandard

_ID_BYTES: Final = 8

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode


def held_id(line: bytes) -> bytes:
    """What names a held record in later entries; equal lines have equal names and are counted."""
    return hashlib.blake2b(line, digest_size=_ID_BYTES).digest()


def pack_held(taken: Sequence[tuple[int, bytes]]) -> bytes:
    """The section of an entry: each record with how many were left out before it."""
    return zstandard.ZstdCompressor(level=1).compress(_encode(taken)) if taken else b""


class HeldRecords:
    """What is held as of the durable end of the journal, the longest held first."""

    def __init__(self) -> None:
        self._held: dict[bytes, list[tuple[int, bytes]]] = {}

    def change(self, taken: Sequence[tuple[int, bytes]], given: bytes) -> None:
        """Applies what one batch changed."""
        for item in taken:
            self._held.setdefault(held_id(item[1]), []).append(item)
        for name in _ids(given):
            same = self._held.get(name)
            if same is not None:
                same.pop(0)
                if not same:
                    del self._held[name]

    def change_by_entry(self, section: bytes, given: bytes) -> None:
        """As `change`, from what stands in an entry."""
        taken = _decode(zstandard.ZstdDecompressor().decompress(section)) if section else ()
        self.change(taken, given)

    def dump(self) -> list[tuple[int, bytes]]:
        """All that is held, each with how many were left out before it."""
        return [item for same in self._held.values() for item in same]

    def load(self, held: Sequence[tuple[int, bytes]]) -> None:
        """Takes over what `dump` returned."""
        self._held = {}
        self.change(held, b"")


def _ids(names: bytes) -> Iterator[bytes]:
    return (names[start : start + _ID_BYTES] for start in range(0, len(names), _ID_BYTES))
