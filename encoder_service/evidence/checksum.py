"""Hashes that stand in the manifest: BLAKE3 of the frames that came in, SHA-256 of the files that go out.

BLAKE3 also compares packets before and after a container, which nobody outside sees. The only door to
blake3. Why two algorithms: docs/decisions/input-hash.md.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from blake3 import blake3

INPUT_HASH_ALGORITHM = "blake3"
"""The name of the hash in a manifest."""


AUDIO_HASH_ALGORITHM = "sha256"
"""The name of the hash of an audio track in a manifest: anybody can repeat it over a WAV file's samples."""


class TrackHash(Protocol):
    """The hash of a growing track."""

    def update(self, data: bytes | memoryview) -> None:
        """Appends bytes."""
        ...

    def hexdigest(self) -> str:
        """Lower-case hex of everything so far."""
        ...


class SampleHash:
    """SHA-256 of a growing track of sound."""

    __slots__ = ("_hash",)

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, data: bytes | memoryview) -> None:
        """Appends bytes; how they are cut never changes the hash."""
        self._hash.update(data)

    def hexdigest(self) -> str:
        """Lower-case hex of everything so far; more may follow."""
        return self._hash.hexdigest()


class FrameHash:
    """BLAKE3 of a growing track of frames or packets, in the order of its bytes."""

    __slots__ = ("_hash",)

    def __init__(self) -> None:
        self._hash = blake3()

    def update(self, data: bytes | memoryview) -> None:
        """Appends bytes; how they are cut never changes the hash."""
        self._hash.update(data)

    def digest(self) -> bytes:
        """32 bytes of everything so far; more may follow."""
        return bytes(self._hash.digest())

    def hexdigest(self) -> str:
        """Lower-case hex of everything so far; more may follow."""
        return str(self._hash.hexdigest())


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file in lower-case hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
