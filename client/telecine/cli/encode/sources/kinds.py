"""What a file is, by its first bytes: its name may say anything."""

from __future__ import annotations

from enum import StrEnum, auto
from pathlib import Path
from typing import BinaryIO, Final

_HEAD_BYTES: Final = 32
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_STILLS: Final = (_PNG, b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*", b"P5", b"P6")
_MAX_PNG_CHUNKS: Final = 100
"""The chunk that makes a PNG an animation comes before the first picture."""
_ANIMATED_WEBP: Final = 0x02
_WEBP_FLAGS_AT: Final = 20


class FileKind(StrEnum):
    """How a source is read."""

    ARRAYS = auto()
    STILL = auto()
    """One picture."""
    ANIMATED_WEBP = auto()
    """FFmpeg cannot read it."""
    VIDEO = auto()
    """Anything else, GIF and animated PNG among it: FFmpeg's business."""


def kind_of(path: Path) -> FileKind:
    """Looks into a file. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head.startswith(b"\x93NUMPY") or path.suffix.lower() in {".npy", ".npz"}:
            return FileKind.ARRAYS
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return FileKind.ANIMATED_WEBP if _is_animated_webp(head) else FileKind.STILL
        if head.startswith(_PNG) and _is_animated_png(file):
            return FileKind.VIDEO
    return FileKind.STILL if head.startswith(_STILLS) else FileKind.VIDEO


def _is_animated_webp(head: bytes) -> bool:
    is_extended = head[12:16] == b"VP8X" and len(head) > _WEBP_FLAGS_AT
    return is_extended and bool(head[_WEBP_FLAGS_AT] & _ANIMATED_WEBP)


def _is_animated_png(file: BinaryIO) -> bool:
    file.seek(len(_PNG))
    for _ in range(_MAX_PNG_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return False
        if head[4:] == b"acTL":
            return True
        file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False
