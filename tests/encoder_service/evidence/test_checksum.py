"""Hashes depend on the bytes alone."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.evidence.checksum import FrameHash, sha256_file


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_how_the_bytes_are_cut_never_changes_the_input_hash(pieces: list[bytes]) -> None:
    frames = FrameHash()
    for piece in pieces:
        frames.update(memoryview(piece))
    assert frames.hexdigest() == blake3(b"".join(pieces)).hexdigest()


def test_files_are_hashed_with_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
