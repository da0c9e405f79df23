"""Looks for secrets in every byte that services left behind: packed, escaped, in Base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zstandard

_BEGINNING = 6
_TABLE_BITS = 20
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_ZSTD = b"\x28\xb5\x2f\xfd"


def contents(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below `root`, as it is and with all zstd frames in it unpacked."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            raw = path.read_bytes()
            yield path, raw + b"\n".join(unpacked(raw))


def unpacked(raw: bytes) -> Iterator[bytes]:
    """The contents of all zstd frames, wherever they begin."""
    at = raw.find(_ZSTD)
    while at >= 0:
        try:
            inner = zstandard.ZstdDecompressor().decompressobj().decompress(raw[at:])
        except zstandard.ZstdError:
            inner = b""
        yield inner
        yield from unpacked(inner)
        at = raw.find(_ZSTD, at + 1)


def forms(secret: str) -> set[bytes]:
    """How a secret may stand in a file: plain, as JSON escapes it, and in Base64 at its three offsets."""
    raw = secret.encode()
    found = {raw, json.dumps(secret)[1:-1].encode()}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        # What its neighbours decide is left out.
        found.add(encoded[(0, 2, 3)[offset] : len(encoded) - 1])
    return {form for form in found if len(form) >= _BEGINNING}


def leaks(root: Path, secrets: Iterable[tuple[str, str]]) -> list[str]:
    """`name in file` for each secret that stands in a file; all secrets are looked for in one pass."""
    by_beginning: dict[int, list[tuple[str, bytes]]] = {}
    for name, secret in secrets:
        for form in forms(secret):
            beginning = int.from_bytes(form[:_BEGINNING], "little")
            by_beginning.setdefault(beginning, []).append((name, form))
    is_begun = np.zeros(1 << _TABLE_BITS, dtype=bool)
    is_begun[_slots(np.fromiter(by_beginning, dtype=np.uint64))] = True
    found: dict[str, None] = {}
    for path, content in contents(root):
        codes = _codes(content)
        for place in np.flatnonzero(is_begun[_slots(codes)]).tolist():
            for name, form in by_beginning.get(int(codes[place]), ()):
                if content.startswith(form, place):
                    found[f"{name} in {path.relative_to(root)}"] = None
    return list(found)


def _codes(content: bytes) -> npt.NDArray[np.uint64]:
    """Each six bytes of a file as one number."""
    if len(content) < _BEGINNING:
        return np.zeros(0, dtype=np.uint64)
    raw = np.frombuffer(content, dtype=np.uint8).astype(np.uint64)
    count = len(raw) - _BEGINNING + 1
    codes = np.zeros(count, dtype=np.uint64)
    for index in range(_BEGINNING):
        codes |= raw[index : index + count] << np.uint64(8 * index)
    return codes


def _slots(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return (codes * _SPREAD) >> np.uint64(64 - _TABLE_BITS)
