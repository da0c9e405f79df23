"""The checksum of chunks, records and frames."""

from __future__ import annotations

import google_crc32c
import numpy as np


def crc32c(data: bytes | memoryview, before: int = 0) -> int:
    """CRC32C (Castagnoli) of `data`, without copying it; `before` is that of the bytes before them."""
    # The library takes no memoryview, but whatever else shows its bytes.
    shown = np.frombuffer(data, np.uint8) if isinstance(data, memoryview) else data
    return int(google_crc32c.extend(before, shown))
