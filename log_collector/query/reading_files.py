"""Reads log files in blocks of whole lines, packed files included."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import zstandard

BLOCK_BYTES: Final = 512 << 10


class DamagedFileError(Exception):
    """A packed file cannot be unpacked."""


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, bytes]]:
    """Yields the offset in the plain content, and whole lines; a last line that is not ended is left out.

    A file that was packed since its name was read is found in its packed form; one that is gone is empty.
    Raises DamagedFileError.
    """
    source = _open(path)
    if source is None:
        return
    offset = 0
    rest = b""
    try:
        with source:
            while True:
                data = source.read(block_bytes)
                if not data:
                    return
                end = data.rfind(b"\n") + 1
                if not end:
                    rest += data
                    continue
                block = rest + data[:end]
                yield offset, block
                offset += len(block)
                rest = data[end:]
    except (zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
        raise DamagedFileError(f"{path.name}: {error}") from error


def _open(path: Path) -> IO[bytes] | None:
    for candidate in (path, path.with_name(f"{path.name}.zst"), path.with_name(f"{path.name}.gz")):
        try:
            raw = candidate.open("rb", buffering=0)
        except FileNotFoundError:
            continue
        if candidate.suffix == ".gz":
            return io.BufferedReader(gzip.GzipFile(fileobj=raw, mode="rb"), BLOCK_BYTES)
        if candidate.suffix == ".zst":
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True)
            return io.BufferedReader(reader, BLOCK_BYTES)
        return raw
    return None
