"""Leaves lines out that no record can be, so that a hostile file takes no more memory than an honest one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

MAX_LINE_BYTES: Final = 16 << 20
"""Of a line in a log file; a record has 1 MiB at most."""


class LongLines:
    """Counts the lines that were left out for their length."""

    def __init__(self) -> None:
        self.count = 0
        self.bytes_left_out = 0

    def __str__(self) -> str:
        return f"lines above {MAX_LINE_BYTES >> 20} MiB that were left out: {self.count}"


def without_long_lines(pieces: Iterable[bytes], left_out: LongLines) -> Iterator[bytes]:
    """Yields pieces of whole lines, without those that are too long; the last may not end."""
    # What there is of a line that has not ended; none of it is kept once the line is too long.
    begun: list[bytes] = []
    begun_bytes = 0
    for data in pieces:
        first = data.find(b"\n") + 1
        is_long = begun_bytes + (first or len(data)) > MAX_LINE_BYTES
        if is_long and begun_bytes <= MAX_LINE_BYTES:
            left_out.count += 1
            begun = []
        if not first:
            begun_bytes += len(data)
            if not is_long:
                begun.append(data)
            continue
        end = data.rfind(b"\n") + 1
        start = first if is_long else 0
        if is_long:
            left_out.bytes_left_out += begun_bytes + first
        if start < end:
            yield b"".join((*begun, data[start:end]))
        begun, begun_bytes = [data[end:]], len(data) - end
    if rest := b"".join(begun):
        yield rest
