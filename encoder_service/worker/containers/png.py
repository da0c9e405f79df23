"""The chunks of PNG: takes pictures apart, joins them again with their colour tagged.

https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.spec import Color
from encoder_service.worker.color import Codes, code_of, is_srgb_like, tags_from_codes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNK_BYTES = (1 << 31) - 1


class PngError(ValueError):
    """The bytes are not the PNG that was expected, or the limits of the format are passed."""


class PngPicture(msgspec.Struct, frozen=True):
    """A picture without anything around it."""

    header: bytes
    """Payload of IHDR."""
    data: bytes
    """One zlib stream, all IDAT payloads joined."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack(">II", self.header[:8])
        return int(width), int(height)


def read_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yields (type, payload) up to and with IEND, CRCs checked. Raises PngError."""
    if file.read(8) != SIGNATURE:
        raise PngError("no PNG file")
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise PngError("the file ends before IEND")
        size, tag = struct.unpack(">I", head[:4])[0], head[4:]
        rest = file.read(size + 4)
        if len(rest) < size + 4:
            raise PngError("a chunk is cut short")
        payload = rest[:size]
        if zlib.crc32(payload, zlib.crc32(tag)) != struct.unpack(">I", rest[size:])[0]:
            raise PngError(f"the CRC of a {tag.decode('latin-1')} chunk is wrong")
        yield tag, payload
        if tag == b"IEND":
            return


def split_png(file: BinaryIO) -> PngPicture:
    """Takes a still picture apart; anything but the picture is left out. Raises PngError."""
    header, data = b"", []
    for tag, payload in read_chunks(file):
        if tag == b"IHDR":
            header = payload
        elif tag == b"IDAT":
            data.append(payload)
    if not header or not data:
        raise PngError("no picture in the PNG file")
    return PngPicture(header, b"".join(data))


def join_png(picture: PngPicture, color: Color) -> bytes:
    """Makes a file of a picture, with its colour tagged."""
    return b"".join(
        (
            SIGNATURE,
            make_chunk(b"IHDR", picture.header),
            color_chunk(color),
            make_chunk(b"IDAT", picture.data),
            make_chunk(b"IEND", b""),
        )
    )


def color_chunk(color: Color) -> bytes:
    """sRGB where that is meant (BT.709 curves are display-referred and read alike), else cICP."""
    if is_srgb_like(color):
        return make_chunk(b"sRGB", b"\0")
    codes = code_of(Codes.PRIMARIES, color.primaries), code_of(Codes.TRANSFER, color.transfer)
    return make_chunk(b"cICP", bytes((*codes, 0, 1)))


def color_tags(tag: bytes, payload: bytes) -> ColorTags | None:
    """What a colour chunk says; None for other chunks."""
    if tag == b"sRGB":
        return tags_from_codes(1, 13, 0, 2)
    if tag == b"cICP" and len(payload) == 4:
        primaries, transfer, matrix, is_full = payload
        return tags_from_codes(primaries, transfer, matrix, 2 if is_full else 1)
    return None


def make_chunk(tag: bytes, payload: bytes) -> bytes:
    """A whole chunk: its length, type, payload and CRC."""
    if len(payload) > _MAX_CHUNK_BYTES:
        raise PngError("a PNG chunk holds at most 2 GiB")
    return (
        struct.pack(">I", len(payload))
        + tag
        + payload
        + struct.pack(">I", zlib.crc32(payload, zlib.crc32(tag)))
    )


def read_color(data: bytes) -> ColorTags:
    """The colour tags of a PNG file; "unknown" where it has none. Raises PngError."""
    found = (color_tags(tag, payload) for tag, payload in read_chunks(io.BytesIO(data)))
    return next((tags for tags in found if tags is not None), ColorTags())
