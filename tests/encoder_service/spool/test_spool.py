"""The spool: what it holds is what was written, in whatever pieces; the quota is never passed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.crc32c import crc32c

from encoder_service.evidence.chunk_sums import ChecksumReader, DamagedFramesError
from encoder_service.spool.quota import SpoolFullError, SpoolSpace
from encoder_service.spool.spool import DiskFullError, Spool


@given(pieces=st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=8))
def test_any_chunking_gives_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[bytes]]
) -> None:
    path = tmp_path_factory.mktemp("spool") / "video.raw"
    spool = Spool(path, is_new=True)
    for chunks in pieces:
        spool.append(chunks)
    expected = b"".join(chunk for chunks in pieces for chunk in chunks)
    assert spool.persisted_bytes == len(expected)
    spool.close()
    assert path.read_bytes() == expected


def test_a_reopened_spool_goes_on_at_its_length(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([b"abc"], is_synced=True)
    spool.close()
    again = Spool(tmp_path / "video.raw", is_new=False)
    assert again.persisted_bytes == 3
    again.append([memoryview(b"def")])
    again.close()
    again.close()
    assert (tmp_path / "video.raw").read_bytes() == b"abcdef"


def test_many_chunks_are_more_than_one_write_can_take(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([bytes([number % 256]) for number in range(2000)])
    assert spool.persisted_bytes == 2000
    spool.close()


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, at: write(fd, [bytes(buffers[0])[:2]], at))
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([b"abcde", b"fg"])
    spool.close()
    assert (tmp_path / "video.raw").read_bytes() == b"abcdefg"


def test_a_full_disk_keeps_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = os.pwritev, [0]

    def full_after_one(fd: int, buffers: list[memoryview], at: int) -> int:
        calls[0] += 1
        if calls[0] > 1:
            raise OSError(errno.ENOSPC, "full")
        return write(fd, [bytes(buffers[0])[:3]], at)

    monkeypatch.setattr(os, "pwritev", full_after_one)
    spool = Spool(tmp_path / "video.raw", is_new=True)
    with pytest.raises(DiskFullError):
        spool.append([b"abcde"])
    assert spool.persisted_bytes == 3
    spool.close()


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == crc32c(memoryview(b"0123456789")[1:]) == 0xE3069283


def test_a_job_holds_the_larger_of_declared_and_written() -> None:
    space = SpoolSpace(100)
    space.hold("a", 60)
    space.hold("a", 40)
    assert space.used_bytes == 60
    with pytest.raises(SpoolFullError):
        space.hold("b", 41)
    assert space.used_bytes == 60
    space.hold("b", 40)
    space.release("a")
    space.release("a")
    assert space.used_bytes == 40


def test_what_lies_on_the_disk_counts_even_beyond_a_smaller_quota() -> None:
    space = SpoolSpace(10)
    space.hold_existing("a", 50)
    assert space.used_bytes == 50
    with pytest.raises(SpoolFullError):
        space.hold("a", 51)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.booleans()), max_size=30))
def test_the_quota_is_never_passed(steps: list[tuple[str, int, bool]]) -> None:
    space = SpoolSpace(100)
    for job, size, is_release in steps:
        if is_release:
            space.release(job)
        else:
            try:
                space.hold(job, size)
            except SpoolFullError:
                pass
        assert 0 <= space.used_bytes <= 100


def test_promises_leave_half_of_the_room_to_those_who_send() -> None:
    space = SpoolSpace(100)
    for job in "abcdef":
        space.promise(job, 25)
    assert space.used_bytes == 50
    space.hold("honest", 50)
    with pytest.raises(SpoolFullError):
        space.promise("late", 1)
    space.withdraw("a")
    assert space.used_bytes == 75
    space.hold("b", 10)
    space.withdraw("b")
    space.withdraw("unknown")
    assert space.used_bytes == 60


def test_one_large_clip_has_its_room_for_sure() -> None:
    space = SpoolSpace(100)
    space.promise("large", 90)
    with pytest.raises(SpoolFullError):
        space.hold("other", 11)
    space.hold("large", 90)


SUMS = "video.crc32c"


def verified(path: Path, end: int) -> None:
    """Reads the spool as a worker does."""
    with path.open("rb") as file:
        reader = ChecksumReader(path.with_name(SUMS), file.fileno())
        try:
            reader.verify(end)
        finally:
            reader.close()


@given(
    pieces=st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=8),
    at=st.integers(0),
    bit=st.integers(0, 7),
)
def test_any_flipped_bit_of_the_frames_is_found(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[bytes]], at: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "video.raw"
    spool = Spool(path, is_new=True)
    for chunks in pieces:
        spool.append(chunks, [crc32c(chunk) for chunk in chunks])
    size = spool.persisted_bytes
    verified(path, size)
    spool.close()
    if size:
        data = bytearray(path.read_bytes())
        data[at % size] ^= 1 << bit
        path.write_bytes(data)
        with pytest.raises(DamagedFramesError):
            verified(path, size)


def test_small_pieces_share_an_entry(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([bytes([number % 256]) for number in range(5000)])
    assert (tmp_path / SUMS).stat().st_size == 8
    verified(tmp_path / "video.raw", 5000)


@pytest.mark.parametrize("hurt", [b"", b"xx", b"12345678" * 3, None])
def test_checksums_that_do_not_fit_are_damage_and_missing_ones_are_made_at_the_next_start(
    tmp_path: Path, hurt: bytes | None
) -> None:
    path = tmp_path / "video.raw"
    spool = Spool(path, is_new=True)
    spool.append([b"frames"])
    (tmp_path / SUMS).unlink() if hurt is None else (tmp_path / SUMS).write_bytes(hurt)
    if hurt is not None:
        with pytest.raises(DamagedFramesError):
            verified(path, 6)
    assert Spool(path, is_new=False).persisted_bytes == 6
    verified(path, 6)


def test_what_a_dying_process_wrote_without_a_checksum_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "video.raw"
    spool = Spool(path, is_new=True)
    spool.append([b"acknowledged"])
    spool.close()
    with path.open("ab") as file:
        file.write(bytes(3 << 20))
    again = Spool(path, is_new=False)
    again.append([b"more"])
    assert again.persisted_bytes == 12 + (3 << 20) + 4
    verified(path, again.persisted_bytes)
    with path.open("r+b") as file:
        file.write(b"A")
    with pytest.raises(DamagedFramesError, match="bytes 0 to 12"):
        verified(path, 12)


def test_a_parked_spool_holds_no_file_open_and_goes_on(tmp_path: Path) -> None:
    before = open_files()
    spools = [Spool(tmp_path / str(number) / "video.raw", is_new=True) for number in made(tmp_path, 50)]
    assert open_files() == before
    for spool in spools:
        spool.append([b"abc"])
        spool.park()
        spool.append([b"def"])
        spool.park()
        assert spool.path.read_bytes() == b"abcdef"
        verified(spool.path, 6)
    assert open_files() == before


def open_files() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def made(root: Path, count: int) -> range:
    """Makes numbered directories."""
    for number in range(count):
        (root / str(number)).mkdir()
    return range(count)


def test_a_spool_that_was_cut_while_it_was_parked_takes_nothing_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([b"abcdef"])
    spool.park()
    os.truncate(spool.path, 3)
    with pytest.raises(OSError, match="shorter"):
        spool.append([b"ghi"])
