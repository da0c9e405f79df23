"""Which bytes of a file a request wants (RFC 9110, one range)."""

from __future__ import annotations

import re
from typing import Final

_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class RangeError(ValueError):
    """No byte of the file lies in the range."""


def range_of(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """First byte and number of bytes; None: the whole file, as for what is no single range.

    Raises RangeError.
    """
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        count = min(int(match[2]), size_bytes)
        if not count:
            raise RangeError
        return size_bytes - count, count
    first = int(match[1])
    last = min(int(match[2]) if match[2] else size_bytes - 1, size_bytes - 1)
    if match[2] and int(match[2]) < first:
        return None
    if first >= size_bytes:
        raise RangeError
    return first, last - first + 1
