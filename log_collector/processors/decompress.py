"""Unpacks a batch without ever holding more than the limit, whatever its frames claim."""

from __future__ import annotations

import threading

import zstandard

from log_collector.journal.entry import Encoding
from log_collector.record import BatchError, RejectionReason

_local = threading.local()


def decompress(packed: bytes, encoding: Encoding, limit_bytes: int) -> bytes:
    """Returns the batch's lines. Raises BatchError for broken zstd and for what is too large."""
    if encoding is Encoding.IDENTITY:
        if len(packed) > limit_bytes:
            raise _too_large(limit_bytes)
        return packed
    try:
        stated = zstandard.frame_content_size(packed)
        if stated > limit_bytes:
            raise _too_large(limit_bytes)
        if stated > 0:
            lines = _decompressor().decompress(packed, allow_extra_data=False)
        else:
            lines = _stream(packed, limit_bytes)
    except zstandard.ZstdError:
        lines = _stream(packed, limit_bytes)
    return lines


def _stream(packed: bytes, limit_bytes: int) -> bytes:
    """For several frames, and for frames that do not state their size."""
    try:
        reader = _decompressor().stream_reader(packed, read_across_frames=True)
        lines = bytes(reader.read(limit_bytes + 1))
    except zstandard.ZstdError as error:
        raise BatchError(RejectionReason.BAD_ENCODING, f"the bytes are not zstd: {error}") from error
    if len(lines) > limit_bytes:
        raise _too_large(limit_bytes)
    if packed and not lines:
        raise BatchError(RejectionReason.BAD_ENCODING, "the zstd frames are cut off or empty")
    return lines


def _decompressor() -> zstandard.ZstdDecompressor:
    found: zstandard.ZstdDecompressor | None = getattr(_local, "decompressor", None)
    if found is None:
        found = _local.decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    return found


def _too_large(limit_bytes: int) -> BatchError:
    return BatchError(RejectionReason.TOO_LARGE, f"the batch unpacks to more than {limit_bytes} bytes")
