"""Reads what a collector's file sink wrote: every line of a stream, rotated and packed files included."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import zstandard

from log_collector.files.names import files_in


def content_of(path: Path) -> bytes:
    """The plain bytes; a packed file must be one whole frame."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        plain = zstandard.ZstdDecompressor().decompress(data)
        assert plain is not None
        return plain
    return gzip.decompress(data) if path.suffix == ".gz" else data


def lines_in(logs: Path, stream: str) -> list[bytes]:
    """All lines of a stream, the oldest first; a cut line fails."""
    directory = str(Path(stream).parent) if "/" in stream else ""
    found: list[bytes] = []
    for file in files_in(logs, directory):
        if file.stream == stream:
            data = content_of(file.path)
            assert not data or data.endswith(b"\n"), f"{file.path.name} ends in the middle of a line"
            found += data.splitlines()
    return found


def records_in(logs: Path, stream: str) -> list[dict[str, Any]]:
    """All records of a JSON stream, the oldest first."""
    return [json.loads(line) for line in lines_in(logs, stream)]
