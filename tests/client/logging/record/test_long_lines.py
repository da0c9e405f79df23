"""Lines that no record can be are left out and counted, and the memory does not grow with them."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine.logging.record.long_lines import MAX_LINE_BYTES, LongLines, without_long_lines
from telecine.logging.redaction import Redactor
from telecine.logging.redaction.files import bounded_lines, open_lines, redact_file

from log_collector.query.reading_files import read_blocks, read_sound_blocks

RECORD = b'{"timestamp":"2026-11-28T10:00:00Z","msg":"m"}\n'


def rle_bomb(blocks: int) -> bytes:
    """A frame of zstd whose every four bytes stand for 128 KiB of one letter."""
    heads = [(131072 << 3 | 1 << 1 | (n == blocks - 1)).to_bytes(3, "little") for n in range(blocks)]
    return bytes.fromhex("28b52ffd0058") + b"".join(head + b"a" for head in heads)


@pytest.mark.parametrize("piece_bytes", [100_000, 4 << 20])
@pytest.mark.parametrize("length", [MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_a_line_above_the_limit_is_left_out_wherever_pieces_end(length: int, piece_bytes: int) -> None:
    line = b"a" * (length - 1) + b"\n"
    data = RECORD + line + RECORD
    left_out = LongLines()
    pieces = (data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes))
    found = b"".join(without_long_lines(pieces, left_out))
    is_long = length > MAX_LINE_BYTES
    assert found == (RECORD * 2 if is_long else data)
    assert left_out.count == is_long


@pytest.mark.parametrize("suffix", [".gz", ".zst", ""])
def test_a_packed_bomb_takes_no_more_memory_than_a_line(tmp_path: Path, suffix: str) -> None:
    size = 1000
    path = tmp_path / f"app.log.1{suffix}"
    data = b"a" * (size * (128 << 10)) if suffix != ".zst" else b""
    path.write_bytes(rle_bomb(size) if suffix == ".zst" else gzip.compress(data, 1) if suffix else data)
    del data
    damaged: list[str] = []

    def imported() -> Iterator[bytes | None]:
        with open_lines(path) as source:
            yield from bounded_lines(source)

    tracemalloc.start()
    assert list(read_sound_blocks(path, damaged)) == []
    assert list(imported()) == [None]
    assert redact_file(path, Redactor()).counts == {"line_too_long": 1}
    assert tracemalloc.get_traced_memory()[1] < 6 * MAX_LINE_BYTES
    tracemalloc.stop()
    assert damaged == [f"{path.name}: lines above 16 MiB that were left out: 1"]


def test_offsets_behind_a_long_line_are_those_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    long = b"a" * MAX_LINE_BYTES + b"\n"
    path.write_bytes(RECORD + long + RECORD)
    assert list(read_blocks(path)) == [(0, RECORD), (len(RECORD + long), RECORD)]


def test_redaction_leaves_nothing_of_a_long_line(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(RECORD + b"password=hunter2 " * (MAX_LINE_BYTES // 16) + b"\n" + RECORD)
    report = redact_file(path, Redactor(), is_dry_run=False)
    assert (report.lines, report.counts) == (3, {"line_too_long": 1})
    assert path.read_bytes() == RECORD + b"***redacted***\n" + RECORD
