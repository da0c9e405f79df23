"""Looks for secrets in every byte that services left behind: packed, escaped, in Base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

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
    return {form for form in found if len(form) >= 6}


def leaks(root: Path, secrets: Iterable[tuple[str, str]]) -> list[str]:
    """`name in file` for each secret that stands in a file."""
    files = list(contents(root))
    return [
        f"{name} in {path.relative_to(root)}"
        for name, secret in secrets
        for form in forms(secret)
        for path, content in files
        if form in content
    ]
