"""Frames with unmapped pages around them: whoever reads beyond what is theirs is killed by SIGSEGV.

A program, as such a death would be pytest's own:
`python -m tests.encoder_service.worker.libav.guarded_frames WHAT`.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from encoder_service.spec.spec import BT709, SRGB, Color, PixelFormat
from encoder_service.worker.libav.padding import PADDING_BYTES
from encoder_service.worker.libav.pictures import Converter, PictureFormat, split_planes, wrap
from encoder_service.worker.process.source import SpoolSource
from encoder_service.worker.writer import SourceFrame
from tests.encoder_service.worker.outputs.drawing import run_writer

PAGE = mmap.PAGESIZE
TARGETS = ("yuv420p", "yuv444p", "yuv420p10le", "rgb24", "rgba", "bgra", "gbrp", "rgb48le", "gray")
TYPICAL_SIZES = (
    *((1080, 6), (1920, 3), (1366, 4), (854, 3), (540, 5), (1078, 4), (834, 3), (120, 512), (720, 2)),
    *((1000, 3), (608, 5), (853, 480), (2, 1), (1, 7), (4096, 1)),
)
# The smallest of every video codec, and sizes that are no multiple of any vector.
WRITTEN_SIZES = ((16, 16), (34, 18), (66, 98), (130, 64), (270, 480), (46, 33))
WRITERS: tuple[dict[str, Any], ...] = (
    *({"format": "mp4", "codec": codec, "quality": "draft"} for codec in ("h264", "hevc", "av1")),
    {"format": "webm", "quality": "draft"},
    {"format": "mov"},
    *({"format": "mkv", "quality": "lossless", "codec": codec} for codec in ("ffv1", "h264")),
    *({"format": name} for name in ("webp", "png", "gif", "apng", "poster", "contact_sheet")),
    {"format": "webp", "quality": "lossless"},
)

_LIBC = ctypes.CDLL(None, use_errno=True)
_mmap = _LIBC.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_mprotect = _LIBC.mprotect
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_munmap = _LIBC.munmap
_munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Guarded:
    """Bytes between two pages that cannot be read: right before them, or `room_bytes` behind them."""

    def __init__(self, data: bytes, room_bytes: int, *, is_at_start: bool = False) -> None:
        pages = -(-(len(data) + room_bytes) // PAGE) * PAGE
        self._length = pages + 2 * PAGE
        self._start = int(_mmap(None, self._length, mmap.PROT_READ | mmap.PROT_WRITE, _ANONYMOUS, -1, 0))
        first = self._start + PAGE
        address = first if is_at_start else first + pages - room_bytes - len(data)
        ctypes.memmove(address, data, len(data))
        for guard in (self._start, first + pages):
            assert _mprotect(guard, PAGE, 0) == 0
        interface = {"data": (address, True), "shape": (len(data),), "typestr": "|u1", "version": 3}
        self.__array_interface__ = interface

    def __del__(self) -> None:
        _munmap(self._start, self._length)


class GuardedSource:
    """Frames that are all the same, each in guarded memory of its own."""

    def __init__(self, data: bytes, room_bytes: int) -> None:
        self._data, self._room_bytes = data, room_bytes

    def frame(self, index: int) -> SourceFrame:
        return SourceFrame(index, np.asarray(Guarded(self._data, self._room_bytes)).data)


def guarded_spool_frame(source: SpoolSource, index: int, frame_bytes: int) -> SourceFrame:
    """Maps a frame of a spool in such a place that what is mapped around it cannot be read."""
    start = index * frame_bytes % PAGE
    # Before the frame lies the rest of its page; behind it too, and one page more.
    length = start + frame_bytes + -(start + frame_bytes) % PAGE + PAGE
    held = []
    for _ in range(16):
        # The kernel lays mappings of one size side by side, each below the one before.
        above, frame, below = _unreadable(length), source.frame(index), _unreadable(length)
        address = np.frombuffer(frame.data, np.uint8).__array_interface__["data"][0] - start
        if (below + length, address + length) == (address, above):
            return frame
        held.append(frame)
    raise AssertionError("the kernel never mapped the frame between two unreadable pieces")


def _unreadable(length: int) -> int:
    return int(_mmap(None, length, 0, _ANONYMOUS, -1, 0))


def color_of(pixel_format: PixelFormat) -> Color:
    return BT709 if pixel_format.startswith(("yuv", "nv", "p0")) else SRGB


def noise(pixel_format: PixelFormat, width: int, height: int) -> bytes:
    data = np.random.default_rng(width * height).bytes(pixel_format.frame_bytes(width, height))
    deep = {PixelFormat.YUV420P10LE: 0x03FF, PixelFormat.P010LE: 0xFFC0}.get(pixel_format)
    return (np.frombuffer(data, "<u2") & deep).astype("<u2").tobytes() if deep else data


def convert(data: memoryview, pixel_format: PixelFormat, width: int, height: int) -> None:
    color = color_of(pixel_format)
    source = PictureFormat(str(pixel_format), width, height, color)
    for name in TARGETS:
        is_rgb = name.startswith(("rgb", "bgra", "gbr"))
        for size in ((width, height), (max(1, width * 2 // 3), height * 2)):
            target = PictureFormat(name, *size, SRGB if is_rgb else BT709)
            Converter(source, target).convert(wrap(split_planes(data, pixel_format, width, height), source))


def conversions(pixel_format: PixelFormat) -> None:
    """Every width up to 64 and typical sizes, with pages that cannot be read at both ends."""
    for width, height in (*((width, 2 + width % 2) for width in range(1, 65)), *TYPICAL_SIZES):
        data = noise(pixel_format, width, height)
        for guarded in (Guarded(data, PADDING_BYTES), Guarded(data, 0), Guarded(data, 0, is_at_start=True)):
            convert(np.asarray(guarded).data, pixel_format, width, height)


def spooled(pixel_format: PixelFormat) -> None:
    """Frames of a spool; the last one ends where its page and the file end."""
    for width, height in ((1080, 64), (30, 64), (1, 4096), (64, 64), (2, 2048), (120, 512)):
        frame_bytes = pixel_format.frame_bytes(width, height)
        count = PAGE // math.gcd(frame_bytes, PAGE)
        with tempfile.NamedTemporaryFile() as file, SpoolSource(Path(file.name), frame_bytes) as source:
            file.truncate(count * frame_bytes)
            source.extend(count)
            frame = guarded_spool_frame(source, count - 1, frame_bytes)
            convert(frame.data, pixel_format, width, height)


def written(pixel_format: PixelFormat) -> None:
    """All writers from the first frame to the read-back, with the least and with no room behind frames."""
    for width, height in WRITTEN_SIZES:
        data = noise(pixel_format, width, height)
        for room_bytes in (PADDING_BYTES, 0):
            for output in WRITERS:
                print(width, height, room_bytes, output, file=sys.stderr)
                with tempfile.TemporaryDirectory() as place:
                    run_writer(
                        Path(place),
                        np.zeros((1, height, width), np.uint8),
                        pixel_format,
                        video={"color": color_of(pixel_format)},
                        source=GuardedSource(data, room_bytes),
                        **output,
                    )


PROOFS: dict[str, Callable[[PixelFormat], None]] = {
    proof.__name__: proof for proof in (conversions, spooled, written)
}


if __name__ == "__main__":
    PROOFS[sys.argv[1]](PixelFormat(sys.argv[2]))
