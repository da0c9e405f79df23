"""Reads kind and size of a picture from its first bytes, without a decoder."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

MAX_PIXELS = 16_000_000
"""The largest image of an overlay: 64 MB when it is decoded."""
MAX_PICTURE_SIDE = 65_535


class PictureHeader(msgspec.Struct, frozen=True):
    """What the first bytes say."""

    kind: str
    """Pillow's name."""
    width: int
    """0: the header does not say."""
    height: int


def read_header(data: bytes) -> PictureHeader | None:
    """None for what is none of `KINDS`."""
    for kind, (magic, at, size) in _KINDS.items():
        if data[at : at + len(magic)] == magic and (kind != "WEBP" or data[:4] == b"RIFF"):
            return PictureHeader(kind, *size(data))
    return None


def find_fault(data: bytes) -> str:
    """What keeps a picture from being an overlay's; empty: nothing that the first bytes would show."""
    header = read_header(data)
    if header is None:
        return f"must be a picture: {', '.join(KINDS)}"
    width, height = header.width, header.height
    if width * height > MAX_PIXELS or max(width, height) > MAX_PICTURE_SIDE:
        return f"must have at most {MAX_PIXELS} pixels, has {width} x {height}"
    return ""


def _big(data: bytes, *places: int, size_bytes: int) -> tuple[int, int]:
    width, height = (int.from_bytes(data[at : at + size_bytes], "big") for at in places)
    return width, height


def _little(data: bytes, *places: int, size_bytes: int) -> tuple[int, int]:
    width, height = (int.from_bytes(data[at : at + size_bytes], "little") for at in places)
    return width, height


def _of_png(data: bytes) -> tuple[int, int]:
    return _big(data, 16, 20, size_bytes=4)


def _of_gif(data: bytes) -> tuple[int, int]:
    return _little(data, 6, 8, size_bytes=2)


def _of_bmp(data: bytes) -> tuple[int, int]:
    if data[14:18] == b"\x0c\0\0\0":
        return _little(data, 18, 20, size_bytes=2)
    width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
    return abs(width), abs(height)


def _of_webp(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8X":
            width, height = _little(data, 24, 27, size_bytes=3)
            return width + 1, height + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = _little(data, 26, 28, size_bytes=2)
            return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _of_jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = _big(data, at + 5, at + 7, size_bytes=2)
            return width, height
        is_alone = marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8
        at += 1 if marker == 0xFF else 2 if is_alone else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0


_KINDS: dict[str, tuple[bytes, int, Callable[[bytes], tuple[int, int]]]] = {
    "PNG": (b"\x89PNG\r\n\x1a\n", 0, _of_png),
    "JPEG": (b"\xff\xd8\xff", 0, _of_jpeg),
    "WEBP": (b"WEBP", 8, _of_webp),
    "GIF": (b"GIF8", 0, _of_gif),
    "BMP": (b"BM", 0, _of_bmp),
}
KINDS = tuple(_KINDS)
"""Pillow opens these alone, and nothing that runs a program (EPS) or has a decoder for each decade (TIFF)."""
