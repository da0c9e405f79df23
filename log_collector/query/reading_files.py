"""Reads log files in blocks of whole lines, packed files included."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import zstandard
from telecine.logging.record.long_lines import LongLines, without_long_lines

BLOCK_BYTES: Final = 512 << 10

MAX_NAMED_FILES: Final = 100
"""So many damaged files does an answer name at most."""

Prepare = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Takes the content of a file in pieces; gives pieces, none of them empty, whose lines are JSON objects."""

_PACKED_BYTES: Final = 64 << 10
_STEP_BYTES: Final = 512
"""So much of a packed file is unpacked at once: four packed bytes can stand for 128 KiB, this for 16 MiB."""


class DamagedFileError(Exception):
    """A packed file cannot be unpacked, or not to its end."""


def read_blocks(
    path: Path,
    block_bytes: int = BLOCK_BYTES,
    prepare: Prepare | None = None,
    long_lines: LongLines | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Yields the offset in the plain content, and whole lines; a last line that is not ended is left out.

    `prepare`: what the content goes through first; the offset is that in what it gives.
    Lines that are too long for a record are left out, and counted in `long_lines`.
    A file that was packed since its name was read is found in its packed form; one that is gone is empty.
    Raises DamagedFileError behind the last whole line that can be read.
    """
    source = _open(path)
    if source is None:
        return
    offset = 0
    rest = b""
    with source:
        left_out = LongLines() if long_lines is None else long_lines
        pieces = without_long_lines(_pieces(source, block_bytes), left_out)
        if prepare is not None:
            pieces = prepare(pieces)
        while True:
            try:
                data = next(pieces, b"")
            except (zstandard.ZstdError, gzip.BadGzipFile, zlib.error, EOFError) as error:
                raise DamagedFileError(f"{Path(source.name).name}: {error}") from error
            if not data:
                return
            end = data.rfind(b"\n") + 1
            if not end:
                rest += data
                continue
            block = rest + data[:end]
            yield offset + left_out.bytes_left_out, block
            offset += len(block)
            rest = data[end:]


def read_sound_blocks(
    path: Path, damaged: list[str], prepare: Prepare | None = None
) -> Iterator[tuple[int, bytes]]:
    """As `read_blocks`; of a damaged file what can be read, and its name and fault are added to `damaged`.

    So is the name of a file with lines that were left out for their length.
    """
    long_lines = LongLines()
    faults = []
    try:
        yield from read_blocks(path, prepare=prepare, long_lines=long_lines)
    except DamagedFileError as error:
        faults.append(str(error))
    if long_lines.count:
        faults.append(f"{path.name}: {long_lines}")
    damaged += [fault for fault in faults if fault not in damaged]


def _pieces(source: IO[bytes], block_bytes: int) -> Iterator[bytes]:
    suffix = Path(source.name).suffix
    if suffix == ".gz":
        yield from _gunzipped(source, block_bytes)
    elif suffix == ".zst":
        yield from _unpacked(source, block_bytes)
    else:
        while data := source.read(block_bytes):
            yield data


def _gunzipped(source: IO[bytes], block_bytes: int) -> Iterator[bytes]:
    reader = gzip.GzipFile(fileobj=source, mode="rb")
    while data := reader.read1(block_bytes):
        yield data


def _unpacked(source: IO[bytes], block_bytes: int) -> Iterator[bytes]:
    """Frame by frame: zstandard's own reader takes a frame that was cut off for one that ends there."""
    frame: Any = None
    waiting = bytearray()
    while raw := source.read(_PACKED_BYTES):
        for start in range(0, len(raw), _STEP_BYTES):
            step = raw[start : start + _STEP_BYTES]
            while step:
                if frame is None:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                waiting += frame.decompress(step)
                step = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = None
            while len(waiting) >= block_bytes:
                yield bytes(waiting[:block_bytes])
                del waiting[:block_bytes]
    if waiting:
        yield bytes(waiting)
    if frame is not None:
        raise EOFError("it was cut off")


def _open(path: Path) -> IO[bytes] | None:
    for candidate in (path, path.with_name(f"{path.name}.zst"), path.with_name(f"{path.name}.gz")):
        try:
            return candidate.open("rb", buffering=0)
        except FileNotFoundError:
            continue
    return None
