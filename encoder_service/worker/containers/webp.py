"""The container of WebP: takes still pictures apart, writes animations as a stream, reads them back.

Layout: RIFF header, VP8X (flags, canvas), ANIM (background, loops), one ANMF for each frame.
https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

MAX_SIDE = 16383
"""Pixels; VP8 and VP8L have 14 bits for a side."""
MAX_DURATION_MILLISECONDS = (1 << 24) - 1
MAX_LOOP_COUNT = (1 << 16) - 1

_MAX_RIFF_BYTES = (1 << 32) - 10
_ALPHA_FLAG = 0x10
_ANIMATION_FLAG = 0x02
_DISPOSE_TO_BACKGROUND = 0x01
_DO_NOT_BLEND = 0x02
_HEAD_BYTES = 12
_FRAME_HEAD_BYTES = 16
_LOSSLESS_HEAD_BYTES = 5
_ALPHA_LOSSLESS = 0x01
_STILL_CHUNKS = {b"VP8 ", b"VP8L", b"ALPH"}


class WebpError(ValueError):
    """The bytes are not the WebP that was expected, or the limits of the container are passed."""


class Still(msgspec.Struct, frozen=True):
    """The coded picture of one frame."""

    chunks: bytes
    """ALPH and VP8, or VP8L, with their headers and padding."""
    has_alpha: bool


class Placement(msgspec.Struct, frozen=True):
    """Where and how long a frame is shown."""

    x: int
    """Pixels from the left; even."""
    y: int
    """Pixels from the top; even."""
    width: int
    height: int
    duration_milliseconds: int
    is_blended: bool
    """Transparent pixels let the frame before show through; else they replace it."""


class FrameEntry(msgspec.Struct, frozen=True):
    """A frame as it stands in a file."""

    placement: Placement
    still: Still


class AnimationHead(msgspec.Struct, frozen=True):
    """What a file says of itself."""

    width: int
    height: int
    has_alpha: bool
    """Some frame has an alpha channel, if only to let the frame before show through."""
    loop_count: int
    """0: for ever."""


def split_still(data: bytes) -> Still:
    """Takes a still WebP file apart; anything but the picture (metadata) is left out. Raises WebpError."""
    kept, has_alpha = [], False
    for tag, payload in _walk(_riff_body(data)):
        if tag not in _STILL_CHUNKS:
            continue
        kept.append(_chunk(tag, payload))
        has_alpha = has_alpha or tag == b"ALPH" or (tag == b"VP8L" and _uses_alpha(payload))
    if not kept:
        raise WebpError("no picture in the WebP file")
    return Still(b"".join(kept), has_alpha)


def join_still(still: Still, width: int, height: int) -> bytes:
    """Makes a still WebP file of a coded picture; the inverse of `split_still`."""
    body = still.chunks
    if still.has_alpha:
        body = _chunk(b"VP8X", _vp8x(_ALPHA_FLAG, width, height)) + body
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def with_alpha_plane(color: Still, alpha: Still) -> Still:
    """Gives a lossy picture an alpha channel: the green of a lossless picture of the same size.

    An ALPH chunk holds what a VP8L chunk does, behind a byte that says so instead of five that state
    the size. Raises WebpError.
    """
    (color_tag, coded), *_ = _walk(color.chunks)
    (alpha_tag, mask), *_ = _walk(alpha.chunks)
    if (color_tag, alpha_tag) != (b"VP8 ", b"VP8L"):
        raise WebpError("an alpha channel is made of a lossless picture, for a lossy one")
    plane = bytes([_ALPHA_LOSSLESS]) + mask[_LOSSLESS_HEAD_BYTES:]
    return Still(_chunk(b"ALPH", plane) + _chunk(b"VP8 ", coded), has_alpha=True)


class AnimationWriter:
    """Writes an animation to a seekable file as its frames come; the file belongs to the caller.

    `finish` writes the head again with what is known only then.
    """

    def __init__(self, file: BinaryIO, width: int, height: int, loop_count: int) -> None:
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
            raise WebpError(f"WebP pictures have 1 to {MAX_SIDE} pixels a side, not {width} x {height}")
        if not 0 <= loop_count <= MAX_LOOP_COUNT:
            raise WebpError(f"WebP loops 0 to {MAX_LOOP_COUNT} times, not {loop_count}")
        self._file = file
        self._size = (width, height)
        self._loop_count = loop_count
        self._has_alpha = False
        self.bytes_written = 0
        self._put(self._head())

    def add(self, placement: Placement, still: Still) -> None:
        """Appends a frame. Raises WebpError."""
        chunk = _chunk(b"ANMF", _frame_head(placement, self._size) + still.chunks)
        if self.bytes_written + len(chunk) > _MAX_RIFF_BYTES:
            raise WebpError("a WebP file holds at most 4 GiB")
        self._has_alpha = self._has_alpha or still.has_alpha
        self._put(chunk)

    def finish(self) -> None:
        """Completes the head; nothing may be added after it."""
        self._file.seek(0)
        self._file.write(self._head())
        self._file.seek(0, 2)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.bytes_written += len(data)

    def _head(self) -> bytes:
        flags = _ANIMATION_FLAG | (_ALPHA_FLAG if self._has_alpha else 0)
        chunks = _chunk(b"VP8X", _vp8x(flags, *self._size))
        chunks += _chunk(b"ANIM", struct.pack("<IH", 0, self._loop_count))
        size = max(self.bytes_written, _HEAD_BYTES + len(chunks)) - 8
        return b"RIFF" + struct.pack("<I", size) + b"WEBP" + chunks


def read_head(file: BinaryIO) -> AnimationHead:
    """Reads what an animation says of itself; leaves the file before its first frame. Raises WebpError."""
    riff = file.read(_HEAD_BYTES)
    if len(riff) < _HEAD_BYTES or riff[:4] != b"RIFF" or riff[8:] != b"WEBP":
        raise WebpError("no WebP file")
    size = struct.unpack("<I", riff[4:8])[0]
    if file.seek(0, 2) != size + 8:
        raise WebpError("the file's size is not the one that its head states")
    file.seek(_HEAD_BYTES)
    extended, animation = _read_chunk(file), _read_chunk(file)
    if extended is None or animation is None or (extended[0], animation[0]) != (b"VP8X", b"ANIM"):
        raise WebpError("no animation")
    if len(extended[1]) < 10 or len(animation[1]) < 6:
        raise WebpError("a chunk is cut short")
    flags = extended[1][0]
    if not flags & _ANIMATION_FLAG:
        raise WebpError("the animation flag is not set")
    width, height = _uint24(extended[1], 4) + 1, _uint24(extended[1], 7) + 1
    return AnimationHead(width, height, bool(flags & _ALPHA_FLAG), struct.unpack("<H", animation[1][4:6])[0])


def read_frames(file: BinaryIO) -> Iterator[FrameEntry]:
    """Reads frame after frame from where `read_head` left the file. Raises WebpError."""
    while (found := _read_chunk(file)) is not None:
        tag, payload = found
        if tag != b"ANMF":
            continue
        if len(payload) < _FRAME_HEAD_BYTES:
            raise WebpError("a frame is cut short")
        flags = payload[15]
        if flags & _DISPOSE_TO_BACKGROUND:
            raise WebpError("a frame is disposed of, which is never written here")
        placement = Placement(
            x=_uint24(payload, 0) * 2,
            y=_uint24(payload, 3) * 2,
            width=_uint24(payload, 6) + 1,
            height=_uint24(payload, 9) + 1,
            duration_milliseconds=_uint24(payload, 12),
            is_blended=not flags & _DO_NOT_BLEND,
        )
        chunks = payload[_FRAME_HEAD_BYTES:]
        yield FrameEntry(
            placement, split_still(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks)
        )


def _frame_head(placement: Placement, canvas: tuple[int, int]) -> bytes:
    if placement.x % 2 or placement.y % 2 or min(placement.x, placement.y) < 0:
        raise WebpError(f"a frame begins at even pixels, not at {placement.x}, {placement.y}")
    if placement.x + placement.width > canvas[0] or placement.y + placement.height > canvas[1]:
        raise WebpError("a frame reaches over the edge of the canvas")
    if min(placement.width, placement.height) < 1:
        raise WebpError("a frame has no pixels")
    if not 0 <= placement.duration_milliseconds <= MAX_DURATION_MILLISECONDS:
        raise WebpError(f"a frame is shown for at most {MAX_DURATION_MILLISECONDS} ms")
    numbers = (
        placement.x // 2,
        placement.y // 2,
        placement.width - 1,
        placement.height - 1,
        placement.duration_milliseconds,
    )
    flags = 0 if placement.is_blended else _DO_NOT_BLEND
    return b"".join(number.to_bytes(3, "little") for number in numbers) + bytes([flags])


def _vp8x(flags: int, width: int, height: int) -> bytes:
    return struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def _chunk(tag: bytes, payload: bytes) -> bytes:
    return tag + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _uses_alpha(lossless: bytes) -> bool:
    # Bit 28 behind the signature byte.
    return len(lossless) > 4 and bool(lossless[4] & 0x10)


def _uint24(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 3], "little")


def _riff_body(data: bytes) -> bytes:
    if len(data) < _HEAD_BYTES or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise WebpError("no WebP file")
    return data[_HEAD_BYTES : struct.unpack("<I", data[4:8])[0] + 8]


def _walk(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 8 <= len(body):
        size = struct.unpack("<I", body[position + 4 : position + 8])[0]
        payload = body[position + 8 : position + 8 + size]
        if len(payload) < size:
            raise WebpError("a chunk is cut short")
        yield body[position : position + 4], payload
        position += 8 + size + size % 2


def _read_chunk(file: BinaryIO) -> tuple[bytes, bytes] | None:
    head = file.read(8)
    if not head:
        return None
    if len(head) < 8:
        raise WebpError("a chunk is cut short")
    size = struct.unpack("<I", head[4:])[0]
    payload = file.read(size + size % 2)
    if len(payload) < size + size % 2:
        raise WebpError("a chunk is cut short")
    return head[:4], payload[:size]
