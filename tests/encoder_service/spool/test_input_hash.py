"""The input hash follows the spool and equals the hash of the whole, however the file grew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from encoder_service.spool import input_hash
from encoder_service.spool.input_hash import HashThread


@pytest.fixture
def thread() -> Iterator[HashThread]:
    """The background thread."""
    thread = HashThread()
    yield thread
    thread.close()


async def test_a_growing_file_has_the_hash_of_the_whole(
    thread: HashThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_hash, "_TURN_BYTES", 70_000)
    monkeypatch.setattr(input_hash, "_READ_BYTES", 30_000)
    path, data = tmp_path / "video.raw", bytes(range(256)) * 2000
    following = thread.follow(path)
    with path.open("ab", buffering=0) as spool:
        for start, end in ((0, 1), (1, 100_000), (100_000, 512_000)):
            spool.write(data[start:end])
            following.advance(end)
            following.advance(end // 2)
    assert await following.digest(len(data)) == blake3(data).hexdigest()


async def test_a_file_that_is_too_short_is_an_error(thread: HashThread, tmp_path: Path) -> None:
    (tmp_path / "video.raw").write_bytes(b"short")
    following = thread.follow(tmp_path / "video.raw")
    with pytest.raises(EOFError):
        await following.digest(6)
    with (tmp_path / "video.raw").open("ab") as spool:
        spool.write(b"!")
    assert await following.digest(6) == blake3(b"short!").hexdigest()
