"""Reads WAV files: PCM of 16, 24 and 32 bits, and floats, piece by piece."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from telecine.exceptions import InvalidFramesError
from telecine.request.sound import LAYOUTS
from telecine.sound.samples import Samples

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_PIECE_SAMPLES = 1 << 15
_MAX_FORMAT_BYTES = 1 << 12
_LAYOUT_OF = {channels: name for name, channels in LAYOUTS.items()}
_MASKS = {
    0x4: "mono",
    0x3: "stereo",
    0x7: "3.0",
    0x33: "quad",
    0x37: "5.0",
    0x3F: "5.1",
    0x63F: "7.1",
    0x603: "quad",
    0x607: "5.0",
    0x60F: "5.1",
}
_IN_DS64 = 0xFFFFFFFF
"""Of data in RF64 (EBU Tech 3306): the chunk ds64 says it."""
_UNKNOWN_SIZES = {0, _IN_DS64}
"""Of data, as programs write it that stream into a pipe."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV file says of its samples."""

    sample_rate: int
    layout: str
    is_float: bool
    bits: int
    data_offset: int
    data_bytes: int


def is_wav(data: bytes) -> bool:
    """Whether the bytes begin a WAV file."""
    return data[:4] in {b"RIFF", b"RF64"} and data[8:12] == b"WAVE"


def open_wav(source: str | Path | bytes) -> BinaryIO:
    """Opens a file's path or its bytes. Raises InvalidFramesError."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise InvalidFramesError(f"audio: {source} cannot be opened: {error.strerror or error}") from error


def read_header(file: BinaryIO, name: str) -> WavHeader:
    """Reads up to the first sample. Raises InvalidFramesError for what is no WAV file or not one of ours."""
    head = file.read(12)
    if not is_wav(head):
        raise InvalidFramesError(
            f"audio: {name} is no WAV file; decode it first, such as with PyAV or soundfile"
        )
    form, long_size = b"", 0
    while True:
        start = file.read(8)
        if len(start) < 8:
            raise InvalidFramesError(f"audio: {name} is cut off before its samples")
        kind, size = start[:4], int.from_bytes(start[4:], "little")
        if kind == b"fmt ":
            form = file.read(min(size, _MAX_FORMAT_BYTES))
            file.seek(size - len(form) + (size & 1), io.SEEK_CUR)
        elif kind == b"ds64" and head[:4] == b"RF64" and 16 <= size <= _MAX_FORMAT_BYTES:
            sizes = file.read(size + (size & 1))
            long_size = int.from_bytes(sizes[8:16], "little")
        elif kind == b"data":
            break
        else:
            file.seek(size + (size & 1), io.SEEK_CUR)
    offset = file.tell()
    left = file.seek(0, io.SEEK_END) - offset
    file.seek(offset)
    if size == _IN_DS64 and long_size:
        size = long_size
    elif size in _UNKNOWN_SIZES:
        size = left
    if left < size:
        raise InvalidFramesError(f"audio: {name} is cut off: {left} of {size} bytes of samples are there")
    return _parsed(form, offset, size, name)


def _parsed(form: bytes, offset: int, size: int, name: str) -> WavHeader:
    if len(form) < 16:
        raise InvalidFramesError(f"audio: {name} does not say what its samples are")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    mask = 0
    if tag == _EXTENSIBLE and len(form) >= 26:
        mask, tag = struct.unpack_from("<IH", form, 20)
    layout = _MASKS.get(mask, "") if mask else _LAYOUT_OF.get(channels, "")
    is_known = (tag == _PCM and bits in {16, 24, 32}) or (tag == _FLOAT and bits in {32, 64})
    if not is_known or LAYOUTS.get(layout) != channels:
        raise InvalidFramesError(
            f"audio: {name} has {channels} channels (mask {mask:#x}) of format {tag} with {bits} bits; "
            "expected PCM of 16, 24 or 32 bits, or floats, in a layout such as mono, stereo or 5.1"
        )
    return WavHeader(rate, layout, tag == _FLOAT, bits, offset, size)


def read_pieces(file: BinaryIO, header: WavHeader) -> Iterator[Samples]:
    """Yields the samples with shape (samples, channels); closes the file at its end."""
    channels, width = LAYOUTS[header.layout], header.bits // 8
    left = header.data_bytes // (channels * width)
    with file:
        file.seek(header.data_offset)
        while left > 0:
            data = file.read(min(left, _PIECE_SAMPLES) * channels * width)
            values = _values(data[: len(data) - len(data) % (channels * width)], header)
            if not len(values):
                raise InvalidFramesError(f"the WAV file ends {left} samples early")
            left -= len(values) // channels
            yield values.reshape(-1, channels)


def _values(data: bytes, header: WavHeader) -> Samples:
    if header.is_float:
        return np.frombuffer(data, f"<f{header.bits // 8}").astype(np.float32)
    if header.bits == 24:  # the upper three bytes of 32 bits
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0]
    return np.frombuffer(data, f"<i{header.bits // 8}")
