"""Artifacts are read ahead of their sending; the pieces make up the whole, whatever becomes of the file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from telecine.crc32c import crc32c

from encoder_service.store.artifact_reader import PIECE_BYTES, OpenFile, opened

WHOLE = bytes(range(256)) * (PIECE_BYTES // 128) + b"the end"


@pytest.mark.parametrize("offset", [0, 1, PIECE_BYTES, len(WHOLE) - 3, len(WHOLE)])
async def test_pieces_make_up_the_rest(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(WHOLE)
    at = offset
    async with opened(path.parent, path.name) as file:
        path.unlink()
        async for piece in file.pieces(offset):
            assert (piece.offset, piece.crc32c) == (at, crc32c(piece.data))
            assert piece.data == WHOLE[at : at + PIECE_BYTES]
            at += len(piece.data)
    assert at == len(WHOLE)


async def test_while_a_piece_is_sent_the_next_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(WHOLE)
    async with opened(path.parent, path.name) as file:
        pieces = file.pieces(0)
        await anext(pieces)
        assert file._ahead is not None
        ahead = await asyncio.wait_for(asyncio.shield(file._ahead), 10)
        assert ahead.offset == PIECE_BYTES
        assert await anext(pieces) is ahead


async def test_a_file_that_nobody_reads_on_is_closed_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(WHOLE)
    raw = path.open("rb", 0)
    file = OpenFile(raw, len(WHOLE))
    async for _ in file.pieces(0):
        break
    await file.close()
    await file.close()
    assert raw.closed
