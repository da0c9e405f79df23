"""Where the journal's files belong: segments' names and heads, the watermark, and what was found amiss."""

from __future__ import annotations

import os
import re
import stat
import struct
from pathlib import Path
from typing import Final

import google_crc32c
import msgspec

_SUFFIX: Final = ".segment"
_NAME: Final = re.compile(r"\d{20}\.segment")
_HEAD: Final = struct.Struct("<4sQI")
"""Magic, the position where the segment belongs, CRC32C of both."""
_HEAD_MAGIC: Final = b"TCS1"
_WATERMARK: Final = struct.Struct("<QI")
"""A position and its CRC32C; release 0.1.0 wrote the position alone."""
_FORMER_WATERMARK_BYTES: Final = 8
_MAX_POSITION: Final = 2**62
UNKNOWN_WATERMARK: Final = 2**63
"""What a watermark says that is gone or damaged: all that was written may have been acknowledged."""
_KNOWN: Final = frozenset({"durable", "known.snapshot", "known.tmp", "known.damaged"})


class Damage(msgspec.Struct, frozen=True):
    """A range that cannot be read any more, or a file that is not what it should be."""

    position: int
    length_bytes: int
    reason: str
    was_acknowledged: bool
    """False: a tail that was being written when the process died; nobody was informed that it is safe."""


class JournalPlaceError(Exception):
    """Something stands where the journal must write; it is left alone, and the message says what it is."""


def segment_path(directory: Path, base: int) -> Path:
    """The file of the segment that begins at a position."""
    return directory / f"{base:020d}{_SUFFIX}"


def segment_head(base: int) -> bytes:
    """What a segment begins with."""
    return _HEAD.pack(_HEAD_MAGIC, base, google_crc32c.value(_HEAD_MAGIC + base.to_bytes(8, "little")))


def head_bytes(data: bytes, base: int) -> int:
    """How long the head is that a segment's bytes begin with; 0: none that belongs here."""
    return _HEAD.size if data[: _HEAD.size] == segment_head(base) else 0


def pack_watermark(position: int) -> bytes:
    """The file that says up to where the journal is durable."""
    return _WATERMARK.pack(position, google_crc32c.value(position.to_bytes(8, "little")))


def unpack_watermark(data: bytes) -> int:
    """The position, or UNKNOWN_WATERMARK."""
    if len(data) == _FORMER_WATERMARK_BYTES:
        position = int.from_bytes(data, "little")
        return position if position < _MAX_POSITION else UNKNOWN_WATERMARK
    if len(data) != _WATERMARK.size:
        return UNKNOWN_WATERMARK
    position, crc = _WATERMARK.unpack(data)
    if crc != google_crc32c.value(data[:8]) or position >= _MAX_POSITION:
        return UNKNOWN_WATERMARK
    return int(position)


def find_segments(directory: Path) -> tuple[list[int], list[Damage]]:
    """Where the segments begin that lie in the directory, and what was odd.

    Those in another's place are put back. Nothing is removed. Raises JournalPlaceError for what stands in a
    segment's place and is no file.
    """
    odd: list[Damage] = []
    places: dict[int, int] = {}
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if not _NAME.fullmatch(entry.name):
            if entry.name not in _KNOWN:
                odd.append(_notice(f"{entry.name!r} is none of the journal's files; it is left alone"))
            continue
        base = int(entry.name.removesuffix(_SUFFIX))
        if not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            raise JournalPlaceError(
                f"{entry.path} must be a segment of the journal and is no regular file; move it away"
            )
        if base >= _MAX_POSITION:
            raise JournalPlaceError(f"{entry.path} cannot be a segment of this journal; move it away")
        places[base] = _own_place(Path(entry.path), base)
    odd += _put_back(directory, places)
    return sorted(places.values()), odd


def _own_place(path: Path, base: int) -> int:
    """Where a segment says that it belongs; `base` where it does not say."""
    with path.open("rb") as file:
        data = file.read(_HEAD.size)
    if len(data) < _HEAD.size:
        return base
    magic, own, _ = _HEAD.unpack(data)
    return int(own) if magic == _HEAD_MAGIC and data == segment_head(own) else base


def _put_back(directory: Path, places: dict[int, int]) -> list[Damage]:
    """Renames segments that stand in another's place. Changes `places` to what is there then."""
    moved = {base: own for base, own in places.items() if base != own}
    odd: list[Damage] = []
    for base in moved:
        segment_path(directory, base).rename(_aside(directory, base))
        del places[base]
    for base, own in moved.items():
        name = segment_path(directory, base).name
        if own in places.values():
            odd.append(
                _notice(f"{name} is a copy of another segment; it is set aside", was_acknowledged=True)
            )
            continue
        _aside(directory, base).rename(segment_path(directory, own))
        places[own] = own
        odd.append(_notice(f"{name} belongs to position {own}; it is put back", was_acknowledged=True))
    return odd


def _aside(directory: Path, base: int) -> Path:
    return directory / f"{base:020d}.misplaced"


def _notice(reason: str, *, was_acknowledged: bool = False) -> Damage:
    return Damage(0, 0, reason, was_acknowledged)
