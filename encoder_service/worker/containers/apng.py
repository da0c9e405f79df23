"""The container of APNG: writes animations as a stream, and reads them back.

https://www.w3.org/TR/png-3/#apng-frame-based-animation
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.spec import Color
from encoder_service.worker.containers.png import (
    SIGNATURE,
    PngError,
    PngPicture,
    color_chunk,
    color_tags,
    make_chunk,
    read_chunks,
)

MAX_LOOP_COUNT = (1 << 31) - 1
_SEQUENCE_BYTES = 4


class FrameControl(msgspec.Struct, frozen=True):
    """Where and how long a frame of an animation is shown; it replaces what it covers and stays."""

    x: int
    y: int
    width: int
    height: int
    delay_numerator: int
    """The numerator of the delay in seconds; 16 bits."""
    delay_denominator: int
    """16 bits."""


class ApngWriter:
    """Writes an animation to a seekable file as its frames come; the file belongs to the caller."""

    def __init__(self, file: BinaryIO, loop_count: int, color: Color) -> None:
        if not 0 <= loop_count <= MAX_LOOP_COUNT:
            raise PngError(f"APNG plays 0 to {MAX_LOOP_COUNT} times, not {loop_count}")
        self._file = file
        self._loop_count = loop_count
        self._color = color
        self._frames = 0
        self._sequence = 0
        self._header = b""
        self._control_at = 0
        self.bytes_written = 0

    def add(self, control: FrameControl, picture: PngPicture) -> None:
        """Appends a frame; the first one gives the canvas its size. Raises PngError."""
        if not self._frames:
            self._header = picture.header
            self._put(SIGNATURE + make_chunk(b"IHDR", picture.header) + color_chunk(self._color))
            self._control_at = self.bytes_written
            self._put(self._animation_control())
        if picture.header[8:] != self._header[8:]:
            raise PngError("all frames of an APNG have one pixel format")
        self._put(make_chunk(b"fcTL", self._next_sequence() + _frame_control(control)))
        if self._frames:
            self._put(make_chunk(b"fdAT", self._next_sequence() + picture.data))
        else:
            self._put(make_chunk(b"IDAT", picture.data))
        self._frames += 1

    def finish(self) -> None:
        """Ends the file and writes the number of frames, which is known only now."""
        self._put(make_chunk(b"IEND", b""))
        self._file.seek(self._control_at)
        self._file.write(self._animation_control())
        self._file.seek(0, 2)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.bytes_written += len(data)

    def _animation_control(self) -> bytes:
        return make_chunk(b"acTL", struct.pack(">II", self._frames, self._loop_count))

    def _next_sequence(self) -> bytes:
        self._sequence += 1
        return struct.pack(">I", self._sequence - 1)


class ApngFrame(msgspec.Struct, frozen=True):
    """A frame as it stands in a file."""

    control: FrameControl
    picture: PngPicture


class ApngHead(msgspec.Struct, frozen=True):
    """What a file says of itself."""

    width: int
    height: int
    frame_count: int
    loop_count: int
    """0: for ever."""
    color: ColorTags


def read_apng(file: BinaryIO) -> Iterator[ApngHead | ApngFrame]:
    """Yields the head, then every frame. Raises PngError."""
    header, color, animation = b"", ColorTags(), b""
    control: FrameControl | None = None
    data: list[bytes] = []
    sequence = 0
    for tag, payload in read_chunks(file):
        if tag == b"IHDR":
            header = payload
        elif (found := color_tags(tag, payload)) is not None:
            color = found
        elif tag == b"acTL":
            animation = payload
        elif tag in {b"fcTL", b"fdAT"}:
            if struct.unpack(">I", payload[:_SEQUENCE_BYTES])[0] != sequence:
                raise PngError("the sequence numbers are not in order")
            sequence += 1
        if tag in {b"fcTL", b"IEND"}:
            if control is not None:
                yield _frame(header, control, data)
            elif tag == b"fcTL":
                yield _head(header, animation, color)
            control, data = (_read_control(payload) if tag == b"fcTL" else None), []
        elif tag == b"fdAT":
            data.append(payload[_SEQUENCE_BYTES:])
        elif tag == b"IDAT":
            data.append(payload)


def _head(header: bytes, animation: bytes, color: ColorTags) -> ApngHead:
    if len(animation) != 8 or len(header) != 13:
        raise PngError("no animation")
    width, height = struct.unpack(">II", header[:8])
    frames, loops = struct.unpack(">II", animation)
    return ApngHead(width, height, frames, loops, color)


def _frame(header: bytes, control: FrameControl, data: list[bytes]) -> ApngFrame:
    own = struct.pack(">II", control.width, control.height) + header[8:]
    return ApngFrame(control, PngPicture(own, b"".join(data)))


def _frame_control(control: FrameControl) -> bytes:
    delay = control.delay_numerator, control.delay_denominator
    return struct.pack(">IIIIHHBB", control.width, control.height, control.x, control.y, *delay, 0, 0)


def _read_control(payload: bytes) -> FrameControl:
    if len(payload) != 26:
        raise PngError("a frame control is cut short")
    width, height, x, y, numerator, denominator, dispose, blend = struct.unpack(">IIIIHHBB", payload[4:])
    if dispose or blend:
        raise PngError("a frame is disposed of or blended, which is never written here")
    return FrameControl(x, y, width, height, numerator, denominator)
