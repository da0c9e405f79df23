"""Reads the blocks of a GIF file: size, loops and how long each frame is shown; corrects the last delay.

https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

_HEAD_BYTES = 13
_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_NETSCAPE = b"NETSCAPE2.0"


class GifError(ValueError):
    """The bytes are not the GIF that was expected."""


class GifFacts(msgspec.Struct, frozen=True):
    """What a file says of itself."""

    width: int
    height: int
    delays_centiseconds: tuple[int, ...]
    """One for each frame."""
    play_count: int
    """How often it is played; 0: for ever."""
    has_transparency: bool
    """Some frame has a transparent colour, if only to let the frame before show through."""
    last_delay_at: int
    """Where in the file the last frame's delay stands; 0: nowhere."""


def read_gif(file: BinaryIO) -> GifFacts:
    """Reads a file to its end; pictures are skipped, not decoded. Raises GifError."""
    head = _read(file, _HEAD_BYTES)
    if head[:6] not in {b"GIF89a", b"GIF87a"}:
        raise GifError("no GIF file")
    width, height, flags = struct.unpack("<HHB", head[6:11])
    _skip_colors(file, flags)
    delays: list[int] = []
    plays, delay, has_transparency, delay_at = 1, 0, False, 0
    while (kind := _read(file, 1)[0]) != _END:
        if kind == _IMAGE:
            _skip_colors(file, _read(file, 9)[8])
            _read(file, 1)
            _blocks(file)
            delays.append(delay)
            delay = 0
        elif kind == _EXTENSION:
            label, at, blocks = _read(file, 1)[0], file.tell(), _blocks(file)
            if label == _CONTROL and blocks and len(blocks[0]) == 4:
                delay, delay_at = struct.unpack("<H", blocks[0][1:3])[0], at + 2
                has_transparency = has_transparency or bool(blocks[0][0] & 1)
            elif label == _APPLICATION and len(blocks) > 1 and blocks[0] == _NETSCAPE and len(blocks[1]) == 3:
                repeats = struct.unpack("<H", blocks[1][1:3])[0]
                # The block counts repetitions after the first time.
                plays = repeats + 1 if repeats else 0
        else:
            raise GifError(f"an unknown block {kind:#x}")
    return GifFacts(width, height, tuple(delays), plays, has_transparency, delay_at)


def set_last_delay(file: BinaryIO, delay_centiseconds: int) -> None:
    """Says how long the last frame is shown; a muxer can only guess it. Raises GifError."""
    at = read_gif(file).last_delay_at
    if not at:
        raise GifError("no frame has a delay")
    file.seek(at)
    file.write(struct.pack("<H", delay_centiseconds))


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise GifError("the file is cut short")
    return data


def _skip_colors(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        _read(file, 3 << ((flags & 7) + 1))


def _blocks(file: BinaryIO) -> list[bytes]:
    found = []
    while size := _read(file, 1)[0]:
        found.append(_read(file, size))
    return found
