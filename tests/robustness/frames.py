"""Compares artifacts frame by frame."""

from __future__ import annotations

import hashlib
import io

import av


def frame_hashes(artifact: bytes | bytearray) -> list[str]:
    """A hash of every decoded frame."""
    with av.open(io.BytesIO(bytes(artifact))) as container:
        return [
            hashlib.sha256(frame.to_ndarray(format="rgb24").tobytes()).hexdigest()
            for frame in container.decode(video=0)
        ]
