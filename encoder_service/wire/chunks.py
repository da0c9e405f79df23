"""Reads requests as they come from gRPC; a chunk's frame data is pointed at, not copied.

The protobuf runtime copies a chunk's bytes twice, which costs as much as receiving them. What it would
read otherwise than the few lines here (unknown or repeated fields, odd lengths) is left to it.
"""

from __future__ import annotations

import msgspec
from telecine.encoder.v1 import encoder_pb2 as pb

_CHUNK_TAG = pb.EncodeRequest.CHUNK_FIELD_NUMBER << 3 | 2
_TRACK_TAG = pb.Chunk.TRACK_FIELD_NUMBER << 3
_OFFSET_TAG = pb.Chunk.OFFSET_FIELD_NUMBER << 3
_DATA_TAG = pb.Chunk.DATA_FIELD_NUMBER << 3 | 2
_CRC_TAG = pb.Chunk.CRC32C_FIELD_NUMBER << 3 | 5
_RING_TAG = pb.Chunk.RING_BYTES_FIELD_NUMBER << 3
_MAX_VARINT_BYTES = 9


class RawChunk(msgspec.Struct, frozen=True):
    """A `Chunk` as it came, not checked yet."""

    track: int
    offset: int
    data: memoryview
    """Keeps the whole message alive."""
    crc32c: int
    ring_bytes: int = 0
    """If not 0, the bytes lie in the stream's ring and `data` is empty."""


Request = RawChunk | pb.EncodeRequest
"""Chunks as `RawChunk`; everything else as its message."""


def parse_request(message: bytes) -> Request:
    """Returns the request that the bytes are. Raises DecodeError."""
    if message and message[0] == _CHUNK_TAG:
        chunk = _parse_chunk(message)
        if chunk is not None:
            return chunk
    return from_message(pb.EncodeRequest.FromString(message))


def from_message(request: pb.EncodeRequest) -> Request:
    """The same request, with a chunk as `RawChunk`."""
    if request.WhichOneof("message") != "chunk":
        return request
    chunk = request.chunk
    return RawChunk(chunk.track, chunk.offset, memoryview(chunk.data), chunk.crc32c, chunk.ring_bytes)


def _parse_chunk(message: bytes) -> RawChunk | None:
    """The chunk, if the message is nothing but one with each field at most once; else None."""
    end = len(message)
    try:
        length, at = _varint(message, 1)
        if at + length != end:
            return None
        numbers = {_TRACK_TAG: 0, _OFFSET_TAG: 0, _CRC_TAG: 0, _RING_TAG: 0}
        data = memoryview(b"")
        seen = set()
        while at < end:
            tag = message[at]
            if tag in seen:
                return None
            seen.add(tag)
            if tag == _DATA_TAG:
                length, at = _varint(message, at + 1)
                data = memoryview(message)[at : at + length]
                at += length
            elif tag == _CRC_TAG:
                numbers[tag] = int.from_bytes(message[at + 1 : at + 5], "little")
                at += 5
            elif tag in numbers:
                numbers[tag], at = _varint(message, at + 1)
            else:
                return None
    except IndexError:
        return None
    if at != end:
        return None
    return RawChunk(numbers[_TRACK_TAG], numbers[_OFFSET_TAG], data, numbers[_CRC_TAG], numbers[_RING_TAG])


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number below 2^63 and the index behind it. Raises IndexError for what is none."""
    value = shift = 0
    for index in range(at, at + _MAX_VARINT_BYTES):
        byte = message[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, index + 1
        shift += 7
    raise IndexError(at)
