"""Hashes depend on the bytes alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.checksum import FrameHash, hash_frames, sha256_file


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_how_the_bytes_are_cut_never_changes_the_input_hash(pieces: list[bytes]) -> None:
    frames = FrameHash()
    for piece in pieces:
        frames.update(memoryview(piece))
    assert frames.hexdigest() == blake3(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("size_bytes", [0, 1, 1 << 20, (1 << 20) + 5])
def test_a_spool_is_hashed_up_to_its_persisted_bytes_and_goes_on_from_there(
    tmp_path: Path, size_bytes: int
) -> None:
    data = bytes(range(251)) * 5000
    path = tmp_path / "spool"
    path.write_bytes(data)
    frames = hash_frames(path, size_bytes)
    assert frames.hexdigest() == blake3(data[:size_bytes]).hexdigest()
    frames.update(data[size_bytes:])
    assert frames.hexdigest() == blake3(data).hexdigest()


def test_a_spool_shorter_than_promised_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_bytes(b"abc")
    with pytest.raises(EOFError, match="ends 1 bytes before byte 4"):
        hash_frames(path, 4)


def test_files_are_hashed_with_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
