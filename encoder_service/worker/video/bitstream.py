"""Brings a packet's payload into one form, whether it comes from an encoder or out of a container.

Containers rewrite packets: MP4 and Matroska turn start codes into lengths and leave parameter sets to
the header (H.264, HEVC), and leave out temporal delimiters and padding (AV1). What is left when both
sides are treated alike is the coded picture itself, which must be the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from enum import StrEnum

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError

_START_CODE = b"\x00\x00\x01"
_LENGTH = struct.Struct(">I")

_DROPPED_UNITS: dict[str, tuple[Callable[[int], int], frozenset[int]]] = {
    # Sequence and picture parameter sets, access unit delimiter.
    "h264": (lambda first: first & 0x1F, frozenset({7, 8, 9})),
    # Video, sequence and picture parameter sets, access unit delimiter.
    "hevc": (lambda first: (first >> 1) & 0x3F, frozenset({32, 33, 34, 35})),
}
_AV1_DROPPED = frozenset({2, 7, 8, 15})
"""Temporal delimiter, redundant frame header, tile list, padding."""


class PayloadForm(StrEnum):
    """How units of H.264 and HEVC are separated; the packets alone do not say."""

    START_CODES = "start_codes"
    LENGTHS = "lengths"


def form_of(extradata: bytes) -> PayloadForm:
    """Which form goes with a codec's headers: those of containers begin with version 1."""
    return PayloadForm.LENGTHS if extradata[:1] == b"\x01" else PayloadForm.START_CODES


_H264_IDR, _H264_SEI = 5, 6
_RECOVERY_POINT = b"\x06"


def normalized(codec: str, data: bytes, form: PayloadForm) -> bytes:
    """Returns the payload in a form that does not depend on where it was stored.

    Raises OutputError with code VERIFICATION_FAILED for a payload that is cut or malformed.
    """
    try:
        if codec in _DROPPED_UNITS:
            type_of, dropped = _DROPPED_UNITS[codec]
            return b"".join(unit for unit in _units(data, form) if type_of(unit[0]) not in dropped)
        return _normalized_av1(data) if codec == "av1" else data
    except (IndexError, struct.error, ValueError) as error:
        raise OutputError(FailureCode.VERIFICATION_FAILED, f"a {codec} packet is malformed") from error


def can_begin(codec: str, data: bytes, form: PayloadForm) -> bool:
    """Whether decoding may begin at a packet that a reader calls a key frame.

    Of H.264 FFmpeg's reader calls every I picture of a stream with one reference a key frame, whatever the
    file's own table says; those that are one have an IDR picture or state a recovery point.
    """
    if codec != "h264":
        return True
    kinds = (unit[:2] for unit in _units(data, form))
    return any(
        kind[0] & 0x1F == _H264_IDR or (kind[0] & 0x1F == _H264_SEI and kind[1:] == _RECOVERY_POINT)
        for kind in kinds
    )


def _units(data: bytes, form: PayloadForm) -> Iterator[bytes]:
    split = _split_by_lengths if form is PayloadForm.LENGTHS else _split_at_start_codes
    return (unit for unit in split(data) if unit)


def _split_at_start_codes(data: bytes) -> Iterator[bytes]:
    begin = data.find(_START_CODE)
    while begin >= 0:
        begin += len(_START_CODE)
        end = data.find(_START_CODE, begin)
        # Zeros before a start code belong to it, and a unit never ends in one.
        yield data[begin : end if end >= 0 else len(data)].rstrip(b"\x00")
        begin = end


def _split_by_lengths(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        if position + length > len(data):
            raise ValueError("a unit is cut")
        yield data[position : position + length].rstrip(b"\x00")
        position += length


def _normalized_av1(data: bytes) -> bytes:
    kept = []
    position = 0
    while position < len(data):
        header = data[position]
        start = position + (2 if header & 0x04 else 1)
        size = len(data) - start
        if header & 0x02:
            size, start = _read_leb128(data, start)
        if start + size > len(data):
            raise ValueError("a unit is cut")
        if (header >> 3) & 0x0F not in _AV1_DROPPED:
            kept.append(data[position : start + size])
        position = start + size
    return b"".join(kept)


def _read_leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 56, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise ValueError("a length has no end")
