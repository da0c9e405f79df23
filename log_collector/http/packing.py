"""Unpacks the body of a request without ever holding more than the limit, whatever it claims."""

from __future__ import annotations

import zlib
from typing import Final

from log_collector.journal.entry import Encoding
from log_collector.processors.decompress import decompress
from log_collector.record import BatchError, RejectionReason

IDENTITY: Final = frozenset({"", "identity"})
TAKEN: Final = ("gzip", "zstd")
_GZIP: Final = 16 + zlib.MAX_WBITS
_MAX_MEMBERS: Final = 64
"""Each costs a copy of what lies behind it; programs write one, or one for each file that was joined."""


def unpack(packed: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The body as it was before it was packed by one of TAKEN. Raises BatchError."""
    if encoding == "zstd":
        return decompress(packed, Encoding.ZSTD, limit_bytes)
    return _gunzip(packed, limit_bytes)


def _gunzip(packed: bytes, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    room = limit_bytes
    rest = packed
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            piece = member.decompress(rest, room + 1)
        except zlib.error as error:
            raise BatchError(RejectionReason.BAD_ENCODING, "the body is not gzip") from error
        room -= len(piece)
        if room < 0:
            message = f"the body unpacks to more than {limit_bytes} bytes"
            raise BatchError(RejectionReason.TOO_LARGE, message)
        if not member.eof:
            raise BatchError(RejectionReason.BAD_ENCODING, "the gzip body is cut off")
        pieces.append(piece)
        # Zeros behind the last member are padding.
        rest = member.unused_data.lstrip(b"\0")
        if not rest:
            return b"".join(pieces)
    raise BatchError(RejectionReason.BAD_ENCODING, f"the gzip body has more than {_MAX_MEMBERS} members")
