"""The spool: what it holds is what was written, in whatever pieces; the quota is never passed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.spool import DiskFullError, Spool, SpoolFullError, SpoolSpace, crc32c


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
