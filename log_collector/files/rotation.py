"""Decides when a log file is rotated and which rotated files are deleted; does neither."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class KeptFile(msgspec.Struct, frozen=True):
    """Something that retention deletes as a whole."""

    name: str
    stream: str
    """`keep_count` counts within it."""
    written_seconds: float
    """Time of its last record, since the epoch."""
    size_bytes: int


def is_rotation_due(
    size_bytes: int, written_seconds: float, now_seconds: float, *, limit_bytes: int, period_seconds: float
) -> bool:
    """Whether a file has reached its size, or was last written in an earlier period. A clock that jumped
    back makes nothing due."""
    if not size_bytes:
        return False
    return size_bytes >= limit_bytes or written_seconds // period_seconds < now_seconds // period_seconds


def expired(
    files: Sequence[KeptFile], now_seconds: float, *, keep_seconds: float, keep_count: int, keep_bytes: int
) -> list[KeptFile]:
    """The files of one class that are too old, too many of their stream, or too much together; a limit of
    0 is none."""
    newest_first = sorted(files, key=lambda f: (f.written_seconds, f.name), reverse=True)
    gone: list[KeptFile] = []
    per_stream: dict[str, int] = {}
    total_bytes = 0
    for file in newest_first:
        number = per_stream.get(file.stream, 0) + 1
        is_too_old = bool(keep_seconds) and now_seconds - file.written_seconds > keep_seconds
        is_too_many = bool(keep_count) and number > keep_count
        is_too_much = bool(keep_bytes) and total_bytes + file.size_bytes > keep_bytes
        if is_too_old or is_too_many or is_too_much:
            gone.append(file)
            # What is older than something that had no room has none either.
            total_bytes = max(total_bytes, keep_bytes) if is_too_much else total_bytes
            continue
        per_stream[file.stream] = number
        total_bytes += file.size_bytes
    return gone[::-1]
